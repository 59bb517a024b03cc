#pragma once
// ManualClock: time that stands still until a test moves it. Monotonic and wall time move together.

#include "relay/core/clock.h"

namespace outbox::support {

class ManualClock {
 public:
  core::Now now() const { return now_; }

  void advance(core::Duration by) {
    now_.instant += by;
    now_.wall.us += std::chrono::duration_cast<std::chrono::microseconds>(by).count();
  }

  /// Moves to `instant` unless it has passed.
  void advance_to(core::Instant instant) {
    if (instant > now_.instant) advance(instant - now_.instant);
  }

 private:
  // An hour after boot, and a day in 2026: neither is zero, so that a forgotten field shows.
  core::Now now_{core::Instant(std::chrono::hours(1)), core::WallTime{1'767'225'600'000'000}};
};

}  // namespace outbox::support
