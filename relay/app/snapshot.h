#pragma once
// PipelineSnapshot: what a pipeline says of itself, copied out of its thread for metrics, status
// and health. SnapshotBoard: where the pipelines' threads leave their newest copy and the admin
// server takes it.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "relay/app/pipeline_parts.h"
#include "relay/core/clock.h"
#include "relay/core/health.h"
#include "relay/flow/pipeline.h"

namespace outbox::app {

struct RouteSnapshot {
  std::string name;
  std::string topic;
  flow::RouteCounters counters;
};

struct PipelineSnapshot {
  std::string name;
  std::string source;
  std::string sink;
  core::Health health;  // state, and why it is not ok
  core::Instant at;     // when this copy was made: the loop's tick
  core::WallTime started_at;

  uint64_t taken = 0;
  uint64_t returned = 0;
  uint64_t retried = 0;
  uint64_t saves = 0;
  std::vector<RouteSnapshot> routes;
  std::optional<flow::Refusal> newest_refusal;

  size_t open_events = 0;
  size_t open_bytes = 0;
  uint64_t epoch = 0;
  std::string confirmed_position;  // as the source prints it; empty before the first

  /// Seconds since the oldest unsettled event was committed; 0 when nothing is open and the last
  /// heartbeat is confirmed.
  double lag_seconds = 0;
  /// Sequence value at the last heartbeat minus the highest settled; absent before the first
  /// heartbeat.
  std::optional<uint64_t> lag_events;
  SourceGauges source_gauges;

  uint64_t delivered() const;
  uint64_t dead_lettered() const;
  uint64_t skipped() const;
};

/// Thread-safe. Copies are handed over whole, so a reader never sees half of one.
class SnapshotBoard {
 public:
  void publish(PipelineSnapshot snapshot);
  /// In the order of the names.
  std::vector<std::shared_ptr<const PipelineSnapshot>> read() const;
  /// Takes a pipeline off the board, after a reload without it.
  void remove(const std::string& name);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const PipelineSnapshot>> newest_;  // guarded by mutex_
};

}  // namespace outbox::app
