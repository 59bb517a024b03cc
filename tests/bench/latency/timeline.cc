#include "tests/bench/latency/timeline.h"

#include <algorithm>
#include <cmath>
#include <ostream>

namespace outbox::bench {
namespace {

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace

Timeline::Timeline(size_t events, size_t warmup_events)
    : warmup_events_(warmup_events), sent_(events), arrived_(events) {}

void Timeline::arrived(size_t event, Clock::time_point when) {
  if (event < arrived_.size() && arrived_[event] == Clock::time_point{}) {
    arrived_[event] = when;
    arrivals_.fetch_add(1, std::memory_order_relaxed);
  }
}

std::vector<double> Timeline::sorted_latencies_ms() const {
  std::vector<double> latencies_ms;
  for (size_t event = warmup_events_; event < events(); ++event) {
    if (arrived_[event] != Clock::time_point{}) {
      const std::chrono::duration<double, std::milli> latency = arrived_[event] - sent_[event];
      latencies_ms.push_back(latency.count());
    }
  }
  std::sort(latencies_ms.begin(), latencies_ms.end());
  return latencies_ms;
}

double Timeline::rate() const {
  const auto [first, last] = std::minmax_element(sent_.begin(), sent_.end());
  const std::chrono::duration<double> span = *last - *first;
  return static_cast<double>(events() - 1) / span.count();
}

void Timeline::print(std::ostream& out) const {
  const std::vector<double> latencies_ms = sorted_latencies_ms();
  out << "{\"sent\": " << events() << ", \"received\": " << arrivals() << ", \"rate\": " << rate()
      << ", \"late_sends\": " << late_.load() << ", \"p50_ms\": " << quantile(latencies_ms, 0.5)
      << ", \"p90_ms\": " << quantile(latencies_ms, 0.9)
      << ", \"p99_ms\": " << quantile(latencies_ms, 0.99)
      << ", \"max_ms\": " << quantile(latencies_ms, 1.0) << "}\n";
}

}  // namespace outbox::bench
