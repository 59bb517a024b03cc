#include "relay/app/trend.h"

#include <algorithm>
#include <chrono>

namespace outbox::app {
namespace {

constexpr core::Duration kSpan = std::chrono::seconds(10);
constexpr core::Duration kSpacing = std::chrono::milliseconds(250);

double seconds(core::Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void Trend::add(core::Instant at, const TrendCounters& counters) {
  newest_ = Sample{at, counters};
  if (!samples_.empty() && at - samples_.back().at < kSpacing) return;
  samples_.push_back(newest_);
  while (samples_.size() > 1 && at - samples_[1].at >= kSpan) samples_.pop_front();
}

TrendReading Trend::reading() const {
  TrendReading reading;
  if (samples_.empty()) return reading;
  const TrendCounters& now = newest_.counters;
  const TrendCounters& then = samples_.front().counters;
  if (now.lag_events == uint64_t{0}) reading.drain_seconds = 0;
  const double span = seconds(newest_.at - samples_.front().at);
  if (span <= 0) return reading;
  reading.events_per_second = static_cast<double>(now.settled - then.settled) / span;
  reading.bytes_per_second = static_cast<double>(now.taken_bytes - then.taken_bytes) / span;
  if (now.safe_wal_bytes && then.safe_wal_bytes && *now.safe_wal_bytes < *then.safe_wal_bytes) {
    const double pace = static_cast<double>(*then.safe_wal_bytes - *now.safe_wal_bytes) / span;
    const int64_t left = std::max(*now.safe_wal_bytes, int64_t{0});
    reading.slot_lost_seconds = static_cast<double>(left) / pace;
  }
  if (!now.lag_events || *now.lag_events == 0 || !then.lag_events) return reading;
  const double shrunk =
      static_cast<double>(*then.lag_events) - static_cast<double>(*now.lag_events);
  reading.growing = shrunk < 0;
  if (shrunk > 0) reading.drain_seconds = static_cast<double>(*now.lag_events) / (shrunk / span);
  return reading;
}

}  // namespace outbox::app
