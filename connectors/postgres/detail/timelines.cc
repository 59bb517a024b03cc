#include "connectors/postgres/detail/timelines.h"

#include <string>

#include "connectors/postgres/detail/fork.h"

namespace outbox::postgres {

Timelines::Timelines(std::string_view history, uint32_t current) : current_(current) {
  for (uint32_t timeline = 1; timeline < current && !history.empty(); ++timeline) {
    const auto end = end_of_timeline(history, timeline);
    if (end) ended_.emplace_back(*end, timeline);
  }
}

uint32_t Timelines::written_on(core::Lsn lsn) const {
  for (const auto& [end, timeline] : ended_) {
    if (lsn < end) return timeline;
  }
  return current_;
}

core::Result<Timelines> read_timelines(Connection& replication, const ServerIdentity& identity,
                                       const Waiter& waiter) {
  if (identity.timeline <= 1) return Timelines({}, identity.timeline);
  const auto rows = replication.run("TIMELINE_HISTORY " + std::to_string(identity.timeline), {},
                                    "read", "the timeline's history", waiter);
  if (!rows) return rows.error();
  return Timelines(rows->value("content"), identity.timeline);
}

}  // namespace outbox::postgres
