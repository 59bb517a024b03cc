#pragma once
// Timelines: on which timeline a server's WAL was written, at each LSN. After a failover the LSNs
// before the fork belong to the timelines of before, also when the new primary sends them: whoever
// names a record by (timeline, LSN) names it alike on both.

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/server_facts.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// Where `timeline` ended, out of what TIMELINE_HISTORY says of a later one: lines of
/// "timeline <tab> LSN <tab> reason".
std::optional<core::Lsn> end_of_timeline(std::string_view history, uint32_t timeline);

class Timelines {
 public:
  Timelines() = default;

  /// `history`: what TIMELINE_HISTORY says of `current`; empty for the first timeline.
  Timelines(std::string_view history, uint32_t current);

  uint32_t written_on(core::Lsn lsn) const;

 private:
  std::vector<std::pair<core::Lsn, uint32_t>> ended_;  // (end, timeline), in order
  uint32_t current_ = 0;
};

/// The two below ask a replication connection that streams nothing yet.
core::Result<Timelines> read_timelines(Connection& replication, const ServerIdentity& identity,
                                       const Waiter& waiter);

/// Where `timeline` ended in the history of the server's own, `identity.timeline`; nothing if it is
/// no part of it.
core::Result<std::optional<core::Lsn>> read_fork(Connection& replication, uint32_t timeline,
                                                 const ServerIdentity& identity,
                                                 const Waiter& waiter);

}  // namespace outbox::postgres
