#pragma once
// Histogram of latencies with fixed bounds from 0.1 ms to 60 s. Plain counters, one owner thread;
// copied into snapshots.

#include <array>
#include <cstddef>
#include <cstdint>

namespace outbox::flow {

class LatencyHistogram {
 public:
  /// Upper bounds of the buckets in microseconds, ascending; one more bucket counts what lies
  /// above.
  static constexpr std::array<int64_t, 18> kBoundsUs = {
      100,       250,       500,       1'000,      2'500,      5'000,
      10'000,    25'000,    50'000,    100'000,    250'000,    500'000,
      1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};

  /// Negative latencies (clocks that disagree) count as zero.
  void record(int64_t latency_us);

  /// Count of one bucket, not cumulative; index kBoundsUs.size() is "above".
  uint64_t bucket(size_t index) const { return counts_[index]; }
  uint64_t count() const { return count_; }
  double sum_seconds() const { return static_cast<double>(sum_us_) / 1e6; }

 private:
  std::array<uint64_t, kBoundsUs.size() + 1> counts_{};
  uint64_t count_ = 0;
  int64_t sum_us_ = 0;
};

}  // namespace outbox::flow
