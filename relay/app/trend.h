#pragma once
// Trend: rate, time to drain and time until the slot is lost, from the last ten seconds of
// counters. Pure; the board owns one a pipeline.

#include <cstdint>
#include <deque>
#include <optional>

#include "relay/core/clock.h"

namespace outbox::app {

/// What a trend is made of. The first two only rise.
struct TrendCounters {
  uint64_t settled = 0;
  uint64_t taken_bytes = 0;
  std::optional<uint64_t> lag_events;
  std::optional<int64_t> safe_wal_bytes;  // that may be written before the slot is lost

  bool operator==(const TrendCounters&) const = default;
};

struct TrendReading {
  double events_per_second = 0;  // settled: delivered, dead-lettered, skipped
  double bytes_per_second = 0;   // taken in
  /// Until the lag is gone at this pace; 0 when there is none, absent when it is not known or
  /// grows.
  std::optional<double> drain_seconds;
  bool growing = false;
  /// Until the slot is lost at the pace at which WAL is written beyond it; absent when the slot
  /// keeps up, or nothing limits it.
  std::optional<double> slot_lost_seconds = std::nullopt;
};

class Trend {
 public:
  /// Samples closer together than a quarter of a second are merged.
  void add(core::Instant at, const TrendCounters& counters);

  TrendReading reading() const;

 private:
  struct Sample {
    core::Instant at;
    TrendCounters counters;
  };
  std::deque<Sample> samples_;  // oldest first; bounded by span and spacing
  Sample newest_;
};

}  // namespace outbox::app
