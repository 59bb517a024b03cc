#pragma once
// The heartbeat: one statement that writes an empty logical message and reads the slot, the
// sequence and the publication in the same breath.
//
// The message moves an idle outbox's slot while a neighbour database fills the WAL: the walsender
// passes it, sends a keepalive, and that boundary can be confirmed. Non-transactional, so that it
// takes no transaction id.

#include <cstdint>
#include <optional>
#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/source_facts.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// What identifies the publication as it is. Dropping the table from it and adding it again makes
/// another one, and rows committed between are never sent.
struct PublicationMark {
  uint32_t publication = 0;  // oid; 0: there is none
  uint32_t membership = 0;   // oid in pg_publication_rel; 0: all tables, or the schema's
  bool complete = false;     // publishes the table's inserts under its own name

  friend bool operator==(const PublicationMark&, const PublicationMark&) = default;
};

struct Heartbeat {
  SourceFacts facts;
  int slot_active_pid = 0;
  PublicationMark publication;
};

/// For one session.
struct HeartbeatPlan {
  std::string statement;
  std::optional<std::string> table;     // oid; nothing if there is none
  std::optional<std::string> sequence;  // of its seq column; nothing if it has none to be read
};
core::Result<HeartbeatPlan> plan_heartbeat(Connection& sql, const PostgresOptions& options,
                                           const Waiter& waiter);

core::Result<Heartbeat> read_heartbeat(const Rows& rows);

}  // namespace outbox::postgres
