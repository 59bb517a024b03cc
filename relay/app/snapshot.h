#pragma once
// Snapshot: what a pipeline shows of itself, and the board where it hangs it up.
//
// A pipeline's thread publishes a copy of its numbers every 50-100 ms (and at least once a second
// when nothing happens: /healthz takes an old one for a dead loop). The admin thread reads copies.
// Neither waits for the other for longer than a copy takes, so a slow scrape never holds the data
// path.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "relay/app/trend.h"
#include "relay/core/clock.h"
#include "relay/core/health.h"
#include "relay/core/outcome.h"
#include "relay/flow/histogram.h"

namespace outbox::app {

struct RouteSnapshot {
  std::string name;
  uint64_t delivered = 0;
  uint64_t dead_lettered = 0;
  uint64_t held = 0;
  uint64_t parked = 0;
  uint64_t skipped = 0;
  uint64_t replayed = 0;
  uint64_t refused_again = 0;
  flow::LatencyHistogram commit_to_acknowledged;
};

/// How far behind a pipeline is. Absent: not known yet. Zero, not old, when idle.
struct Lag {
  std::optional<double> seconds;  // since the commit of the oldest event that is not settled
  std::optional<uint64_t> events;
  std::optional<uint64_t> wal_bytes;  // the server's insert position minus what is confirmed
};

/// What the source last read about its replication slot.
struct SlotSnapshot {
  std::optional<uint64_t> retained_bytes;      // WAL that the slot keeps on the server
  std::optional<int64_t> safe_wal_size_bytes;  // what may still be written before the slot is lost;
                                               // absent: no max_slot_wal_keep_size
};

/// What retention did, and what it must leave.
struct RetentionSnapshot {
  std::optional<uint64_t> kept;  // numbers from the oldest row on; absent in a table with status
  uint64_t partitions = 0;       // emptied by this process
  uint64_t rows = 0;             // deleted by this process
  double held_seconds = 0;       // how long something has stayed although it is old enough
  std::string held_by;           // why, once it has been for long
};

struct RefusalSnapshot {
  core::Cause cause;
  std::string position;
};

struct PipelineSnapshot {
  std::string name;
  core::HealthState state = core::HealthState::starting;
  std::string reason;  // empty when ok, else what is awaited and what to do
  Lag lag;
  SlotSnapshot slot;
  std::optional<double> held_back_seconds;  // by an open transaction; mode poll only
  std::optional<uint64_t> shards;           // that are read here; polling by status only
  std::optional<RetentionSnapshot> retention;

  std::vector<RouteSnapshot> routes;
  uint64_t taken = 0;        // events from the source
  uint64_t taken_bytes = 0;  // their bytes
  uint64_t returned = 0;     // deliveries that came back without effect
  uint64_t retried = 0;      // failed deliveries that were tried again
  uint64_t saves = 0;        // of progress
  uint64_t reconnects = 0;   // of the source
  uint64_t producer_rebuilds = 0;
  std::optional<RefusalSnapshot> newest_refusal;

  size_t blocked_keys = 0;        // that have held or parked events
  uint64_t replays_proposed = 0;  // that wait for a second person
  bool braked = false;            // too many events were refused: nothing moves until a new start

  size_t window_events = 0;
  size_t window_events_max = 0;
  size_t window_bytes = 0;
  size_t window_bytes_max = 0;

  uint64_t epoch = 0;
  std::string confirmed;      // how far the source is confirmed, as the source prints positions
  core::Instant ticked_at{};  // when the loop last went round

  uint64_t delivered() const;
  uint64_t dead_lettered() const;
  uint64_t held() const;
  uint64_t parked() const;
  uint64_t skipped() const;
  uint64_t replayed() const;
  /// All that left the window for good, from the source.
  uint64_t settled() const;
};

/// A snapshot with what only several of them together can tell.
struct PipelineView {
  PipelineSnapshot snapshot;
  TrendReading trend;
};

/// The pipeline's reason; without one, replays that wait for somebody, a slot that is about to be
/// lost is one, or old rows that retention must leave.
std::string shown_reason(const PipelineView& view);

class SnapshotBoard {
 public:
  /// All pipelines by name; each reads as `starting` until it publishes. `now` counts as their
  /// tick.
  SnapshotBoard(const std::vector<std::string>& pipelines, core::Instant now);
  SnapshotBoard(const SnapshotBoard&) = delete;
  SnapshotBoard& operator=(const SnapshotBoard&) = delete;

  /// From now on these are the pipelines: a reload may bring new ones and take others away.
  void show(const std::vector<std::string>& pipelines, core::Instant now);

  /// From any pipeline's thread, for a name that was given to the constructor or to show().
  void publish(PipelineSnapshot snapshot);

  /// From any thread; in the order given.
  std::vector<PipelineView> read() const;

 private:
  struct Entry {
    PipelineSnapshot snapshot;
    Trend trend;
  };
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // guarded by mutex_
};

}  // namespace outbox::app
