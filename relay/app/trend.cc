#include "relay/app/trend.h"

#include <chrono>

namespace outbox::app {
namespace {

constexpr core::Duration kSpan = std::chrono::seconds(10);
constexpr core::Duration kSpacing = std::chrono::milliseconds(250);

double seconds(core::Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void Trend::add(core::Instant at, uint64_t settled, uint64_t taken_bytes,
                std::optional<uint64_t> lag_events) {
  newest_ = Sample{at, settled, taken_bytes, lag_events};
  if (!samples_.empty() && at - samples_.back().at < kSpacing) return;
  samples_.push_back(newest_);
  while (samples_.size() > 1 && at - samples_[1].at >= kSpan) samples_.pop_front();
}

TrendReading Trend::reading() const {
  TrendReading reading;
  const auto lag_now = samples_.empty() ? std::nullopt : newest_.lag_events;
  if (lag_now == uint64_t{0}) reading.drain_seconds = 0;
  if (samples_.empty()) return reading;
  const Sample& oldest = samples_.front();
  const double span = seconds(newest_.at - oldest.at);
  if (span <= 0) return reading;
  reading.events_per_second = static_cast<double>(newest_.settled - oldest.settled) / span;
  reading.bytes_per_second = static_cast<double>(newest_.taken_bytes - oldest.taken_bytes) / span;
  if (!lag_now || *lag_now == 0 || !oldest.lag_events) return reading;
  const double shrunk =
      static_cast<double>(*oldest.lag_events) - static_cast<double>(*newest_.lag_events);
  reading.growing = shrunk < 0;
  if (shrunk > 0) reading.drain_seconds = static_cast<double>(*lag_now) / (shrunk / span);
  return reading;
}

}  // namespace outbox::app
