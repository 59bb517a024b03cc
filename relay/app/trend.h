#pragma once
// Trend: rate and time to drain from the last ten seconds of counters. Pure; the board owns one a
// pipeline.

#include <cstdint>
#include <deque>
#include <optional>

#include "relay/core/clock.h"

namespace outbox::app {

struct TrendReading {
  double events_per_second = 0;  // settled: delivered, dead-lettered, skipped
  double bytes_per_second = 0;   // taken in
  /// Until the lag is gone at this pace; 0 when there is none, absent when it is not known or
  /// grows.
  std::optional<double> drain_seconds;
  bool growing = false;
};

class Trend {
 public:
  /// Counters only rise. Samples closer together than a quarter of a second are merged.
  void add(core::Instant at, uint64_t settled, uint64_t taken_bytes,
           std::optional<uint64_t> lag_events);

  TrendReading reading() const;

 private:
  struct Sample {
    core::Instant at;
    uint64_t settled = 0;
    uint64_t taken_bytes = 0;
    std::optional<uint64_t> lag_events;
  };
  std::deque<Sample> samples_;  // oldest first; bounded by span and spacing
  Sample newest_;
};

}  // namespace outbox::app
