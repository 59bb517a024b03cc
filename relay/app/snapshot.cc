#include "relay/app/snapshot.h"

#include <utility>

namespace outbox::app {

uint64_t PipelineSnapshot::delivered() const {
  uint64_t sum = 0;
  for (const RouteSnapshot& route : routes) sum += route.counters.delivered;
  return sum;
}

uint64_t PipelineSnapshot::dead_lettered() const {
  uint64_t sum = 0;
  for (const RouteSnapshot& route : routes) sum += route.counters.dead_lettered;
  return sum;
}

uint64_t PipelineSnapshot::skipped() const {
  uint64_t sum = 0;
  for (const RouteSnapshot& route : routes) sum += route.counters.skipped;
  return sum;
}

void SnapshotBoard::publish(PipelineSnapshot snapshot) {
  auto copy = std::make_shared<const PipelineSnapshot>(std::move(snapshot));
  const std::lock_guard lock(mutex_);
  newest_[copy->name] = std::move(copy);
}

std::vector<std::shared_ptr<const PipelineSnapshot>> SnapshotBoard::read() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const PipelineSnapshot>> all;
  for (const auto& [name, snapshot] : newest_) all.push_back(snapshot);
  return all;
}

void SnapshotBoard::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  newest_.erase(name);
}

}  // namespace outbox::app
