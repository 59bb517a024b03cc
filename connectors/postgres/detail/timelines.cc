#include "connectors/postgres/detail/timelines.h"

#include <algorithm>
#include <string>

namespace outbox::postgres {
namespace {

core::Result<std::string> read_history(Connection& replication, const ServerIdentity& identity,
                                       const Waiter& waiter) {
  const auto rows = replication.run("TIMELINE_HISTORY " + std::to_string(identity.timeline), {},
                                    "read", "the timeline's history", waiter);
  if (!rows) return rows.error();
  return rows->value("content");
}

}  // namespace

std::optional<core::Lsn> end_of_timeline(std::string_view history, uint32_t timeline) {
  while (!history.empty()) {
    const size_t line_end = std::min(history.find('\n'), history.size());
    const std::string_view line = history.substr(0, line_end);
    history.remove_prefix(std::min(line_end + 1, history.size()));
    const size_t first = line.find('\t');
    if (first == std::string_view::npos) continue;
    if (to_number<uint32_t>(std::string(line.substr(0, first))) != timeline) continue;
    const size_t second = line.find('\t', first + 1);
    return core::parse_lsn(line.substr(first + 1, second - first - 1));
  }
  return std::nullopt;
}

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
  const core::Result<std::string> history = read_history(replication, identity, waiter);
  if (!history) return history.error();
  return Timelines(*history, identity.timeline);
}

core::Result<std::optional<core::Lsn>> read_fork(Connection& replication, uint32_t timeline,
                                                 const ServerIdentity& identity,
                                                 const Waiter& waiter) {
  if (timeline >= identity.timeline) return std::optional<core::Lsn>();
  const core::Result<std::string> history = read_history(replication, identity, waiter);
  if (!history) return history.error();
  return end_of_timeline(*history, timeline);
}

}  // namespace outbox::postgres
