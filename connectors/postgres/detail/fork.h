#pragma once
// What the server's timeline means for what was delivered. A promoted standby and a restored backup
// both begin a new one; after either, events may have been delivered that never happened here.

#include <optional>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// Whether saved progress means anything to the server that answers now: the same cluster, and a
/// timeline on which everything that was delivered happened. `fork`: where the saved timeline ended
/// in this server's history, if it is part of it.
std::optional<Finding> judge_identity(const ProgressFacts& saved, const ServerIdentity& identity,
                                      std::optional<core::Lsn> fork,
                                      const PostgresOptions& options);

/// The first start on another timeline says so: whether it was a failover or a restore, the server
/// does not know.
Finding changed_timeline(const ProgressFacts& saved, const ServerIdentity& identity);

/// Tried again: the URL leads to a primary of before a failover.
core::Error old_primary(const SessionRequest::Held& held, const ServerIdentity& identity,
                        const PostgresOptions& options);

/// For a relay that has lost its connection and comes to a server again. What it delivered since
/// progress was saved is known only here: an Error if some of it never happened on the server's
/// timeline (saved, so that no later start forgets it), and for a primary of before a failover
/// (tried again). Otherwise, where the server writes LSNs again that were read already: up to
/// which.
core::Result<std::optional<core::Lsn>> follow_timeline(Connection& sql, Connection& replication,
                                                       const SessionRequest::Held& held,
                                                       const ServerIdentity& identity,
                                                       const PostgresOptions& options,
                                                       const Waiter& waiter);

/// The same for a pipeline that is polled. On another timeline a number may stand for another row,
/// so only rows that `saved` knows of count as delivered; an Error if more were handed out.
core::Result<void> follow_timeline_by_number(const SessionRequest::Held& held,
                                             const ProgressFacts& saved,
                                             const ServerIdentity& identity,
                                             const PostgresOptions& options);

}  // namespace outbox::postgres
