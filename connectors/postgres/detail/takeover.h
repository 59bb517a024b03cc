#pragma once
// What a start has in common, whichever way events leave Postgres: the epoch, and a server that is
// a standby for now. Both run inside a background job.

#include <cstdint>
#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// How far the epoch rises at the first start on another timeline. Saved progress goes back with
/// the database when that is restored to an earlier point, and the epochs that were taken since are
/// forgotten; consumers have seen them, and must not see one twice or a lower one.
inline constexpr uint64_t kEpochsPerTimeline = 1'000'000;

/// The pipeline's saved progress, with the epoch to act under: the next one at a start, ours after
/// a loss of the connection. Fatal FENCED if another relay took a newer one meanwhile (invariant
/// 8). Whoever calls holds the slot or the pipeline's lock. `slot`: empty when there is none.
core::Result<ProgressFacts> take_epoch(Connection& sql, const SessionRequest& request,
                                       const ServerIdentity& identity, const std::string& slot,
                                       const Waiter& waiter);

/// Before take_lock(): the server is to see within seconds that this session's peer is gone, and to
/// end none of its statements.
core::Result<void> prepare_for_lock(Connection& sql, int server_version, const Waiter& waiter);

/// Takes the advisory lock by which one relay at a time reads a pipeline's table; it is the
/// session's. An Error names who holds it and is tried again.
core::Result<void> take_lock(Connection& sql, const std::string& pipeline, const Waiter& waiter);

/// Who holds it: no row, or `pid` and `who`.
std::string lock_holder_query(const std::string& pipeline);

/// During a failover the URL may lead to the standby before it is promoted: tried again.
core::Error standby_for_now();

}  // namespace outbox::postgres
