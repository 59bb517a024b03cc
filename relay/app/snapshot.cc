#include "relay/app/snapshot.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "relay/app/numbers.h"
#include "relay/core/assert.h"

namespace outbox::app {
namespace {

uint64_t sum(const std::vector<RouteSnapshot>& routes, uint64_t RouteSnapshot::*counter) {
  return std::accumulate(
      routes.begin(), routes.end(), uint64_t{0},
      [counter](uint64_t total, const RouteSnapshot& route) { return total + route.*counter; });
}

}  // namespace

uint64_t PipelineSnapshot::delivered() const { return sum(routes, &RouteSnapshot::delivered); }
uint64_t PipelineSnapshot::dead_lettered() const {
  return sum(routes, &RouteSnapshot::dead_lettered);
}
uint64_t PipelineSnapshot::held() const { return sum(routes, &RouteSnapshot::held); }
uint64_t PipelineSnapshot::parked() const { return sum(routes, &RouteSnapshot::parked); }
uint64_t PipelineSnapshot::skipped() const { return sum(routes, &RouteSnapshot::skipped); }
uint64_t PipelineSnapshot::replayed() const { return sum(routes, &RouteSnapshot::replayed); }

uint64_t PipelineSnapshot::settled() const {
  return delivered() + dead_lettered() + held() + parked() + skipped();
}

SnapshotBoard::SnapshotBoard(const std::vector<std::string>& pipelines, core::Instant now) {
  show(pipelines, now);
}

void SnapshotBoard::show(const std::vector<std::string>& pipelines, core::Instant now) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> shown;
  for (const std::string& name : pipelines) {
    const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.snapshot.name == name;
    });
    if (known != entries_.end()) {
      shown.push_back(std::move(*known));
      continue;
    }
    Entry& entry = shown.emplace_back();
    entry.snapshot.name = name;
    entry.snapshot.reason = "the pipeline is being set up";
    entry.snapshot.ticked_at = now;
  }
  entries_ = std::move(shown);
}

void SnapshotBoard::publish(PipelineSnapshot snapshot) {
  const uint64_t settled = snapshot.settled();
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.snapshot.name != snapshot.name) continue;
    entry.trend.add(snapshot.ticked_at, {settled, snapshot.taken_bytes, snapshot.lag.events,
                                         snapshot.slot.safe_wal_size_bytes});
    std::swap(entry.snapshot, snapshot);  // the old one is freed behind the lock
    return;
  }
  OUTBOX_ASSERT(!"only pipelines that are shown publish");
}

std::vector<PipelineView> SnapshotBoard::read() const {
  std::vector<PipelineView> views;
  const std::lock_guard lock(mutex_);
  views.reserve(entries_.size());
  for (const Entry& entry : entries_) views.push_back({entry.snapshot, entry.trend.reading()});
  return views;
}

std::string shown_reason(const PipelineView& view) {
  constexpr double kWarnSeconds = 3600;
  const auto left = view.trend.slot_lost_seconds;
  if (!view.snapshot.reason.empty()) return view.snapshot.reason;
  if (const uint64_t proposed = view.snapshot.replays_proposed; proposed > 0) {
    return readable_count(proposed) + (proposed == 1 ? " replay waits" : " replays wait") +
           " for a second person: outbox dead-letters jobs --approve N";
  }
  if (!left || *left > kWarnSeconds) {
    const auto& retention = view.snapshot.retention;
    if (!retention || retention->held_by.empty()) return "";
    return "old rows cannot be removed: " + retention->held_by;
  }
  return "at the pace of now the slot is lost in " + readable_seconds(left) +
         ": let the relay catch up, or raise max_slot_wal_keep_size";
}

}  // namespace outbox::app
