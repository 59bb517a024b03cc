#pragma once
// Timelines: on which timeline a server's WAL was written, at each LSN. After a failover the LSNs
// before the fork belong to the timelines of before, also when the new primary sends them: whoever
// names a record by (timeline, LSN) names it alike on both.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/server_facts.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

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

/// Asks a replication connection that streams nothing yet.
core::Result<Timelines> read_timelines(Connection& replication, const ServerIdentity& identity,
                                       const Waiter& waiter);

}  // namespace outbox::postgres
