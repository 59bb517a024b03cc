#pragma once
// Look: what the Horizon needs to know of the server, asked in one string of three statements, each
// with its own result: the sequence, then who may still commit rows, then how far the WAL is. Their
// order is the safety of it (horizon.h); the insert position of the third covers the commit of
// whoever was no holder in the second.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/horizon.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

struct Look {
  uint64_t last_value = 0;
  bool in_recovery = false;
  std::vector<Holder> holders;
  core::Lsn inserted;
  core::Lsn flushed;
};

/// The strings to send. In both a holder has a name for people; `named` knows program, query and
/// since when, and takes longer.
struct LookQueries {
  std::string usual;
  std::string named;
};

/// Prepares the statements for the table with this oid (as text), numbered by this sequence:
/// planning takes ten times as long as looking. The locks of the table's children are looked at
/// too, so that a writer who goes round the parent is seen.
core::Result<LookQueries> prepare_look(Connection& sql, const std::string& table,
                                       const std::string& sequence, const Waiter& waiter);

/// The three results; an Error if there are others.
core::Result<Look> read_look(std::span<const Rows> answers);

}  // namespace outbox::postgres
