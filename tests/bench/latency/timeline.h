#pragma once
// Timeline: when each event was sent and when its record arrived, on one monotonic clock.
//
// Threads: an event's `sent` is written by the thread that sends it and its `arrived` by the
// reader's; nobody reads a time before both threads have been joined. The count of arrivals is
// atomic and may be read at any time.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <vector>

namespace outbox::bench {

using Clock = std::chrono::steady_clock;

class Timeline {
 public:
  /// The first `warmup_events` are sent and awaited, and left out of the figures.
  Timeline(size_t events, size_t warmup_events);

  size_t events() const { return sent_.size(); }
  void sent(size_t event, Clock::time_point when) { sent_[event] = when; }
  /// Sent more than a millisecond after its time: the machine, not the relay, was behind.
  void sent_late() { late_.fetch_add(1, std::memory_order_relaxed); }
  /// A second arrival of an event is ignored, as is one that is not ours.
  void arrived(size_t event, Clock::time_point when);
  size_t arrivals() const { return arrivals_.load(std::memory_order_relaxed); }

  /// {"sent", "received", "rate", "late_sends", "p50_ms", "p90_ms", "p99_ms", "max_ms"}, one line.
  /// `rate` is what was reached, events a second.
  void print(std::ostream& out) const;

 private:
  std::vector<double> sorted_latencies_ms() const;
  double rate() const;

  const size_t warmup_events_;
  std::vector<Clock::time_point> sent_;
  std::vector<Clock::time_point> arrived_;
  std::atomic<size_t> arrivals_{0};
  std::atomic<size_t> late_{0};
};

}  // namespace outbox::bench
