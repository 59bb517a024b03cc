#pragma once
// Backoff: how long to wait after the n-th failure in a row: exponential with full jitter (a random
// time between zero and the doubled bound), so that many waiters do not come back together. Pure:
// the randomness is seeded.

#include <cstdint>

#include "relay/core/clock.h"

namespace outbox::core {

/// A small seeded generator (SplitMix64, Steele, Lea and Flood 2014): same seed, same numbers, on
/// every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// 0 .. bound-1; bound is not 0.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

class Backoff {
 public:
  Backoff(Duration first, Duration most, uint64_t seed);

  /// The longest that the wait after the next failure can be.
  Duration limit() const;

  /// Counts a failure and returns the time to wait before the next try.
  Duration after_failure();
  void succeeded() { failures_ = 0; }
  uint32_t failures() const { return failures_; }

 private:
  Duration first_;
  Duration most_;
  uint32_t failures_ = 0;
  Random random_;
};

}  // namespace outbox::core
