#pragma once
// What a SQLSTATE means for a relay: the one place that decides it. Postgres reports errors of a
// query in a result; errors of connecting only as text, which is read here.

#include <string>
#include <string_view>

#include "relay/core/error.h"

namespace outbox::postgres {

enum class Trouble {
  passing,          // network, restart, too many connections: again soon, with jitter
  server_stopping,  // 57P03: it takes no connections, because it stops or starts
  slot_active,      // 55006: another relay holds the slot; wait for it
  access,           // 28*, 42501: password, pg_hba.conf, grants; again slowly, a person mends it
  lasting,          // a person must act, and going on without would lose or invent something
};

Trouble trouble_of(std::string_view sqlstate);

/// The fault of an Error in a call that met `trouble`.
core::Fault fault_of(Trouble trouble);

struct ConnectFailure {
  std::string sqlstate;  // "08006" where the server sent none (network, DNS, TLS)
  std::string text;      // one line, without codes and source locations
};

/// Reads libpq's message of a failed connect, written with PQERRORS_VERBOSE. libpq puts host, port,
/// user and database into it, never a password.
ConnectFailure read_connect_failure(std::string_view message);

/// The first line of a server's or libpq's message, without "ERROR:  " and line ends.
std::string first_line(std::string_view message);

}  // namespace outbox::postgres
