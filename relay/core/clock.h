#pragma once
// Time as the parts see it. Nobody but the runner reads a clock: a step is given a Now. Instants
// are monotonic and only good for differences and deadlines; wall time is only for what people read
// and for lag against commit times.

#include <chrono>
#include <cstdint>

namespace outbox::core {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// Microseconds since 1970-01-01 UTC; what Postgres's commit timestamps become.
struct WallTime {
  int64_t us = 0;
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
};

struct Now {
  Instant instant;
  WallTime wall;
};

/// "No deadline": later than anything.
inline constexpr Instant kNever = Instant::max();

}  // namespace outbox::core
