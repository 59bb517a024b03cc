#include "connectors/postgres/detail/nap.h"

namespace outbox::postgres {

core::Instant Nap::drained(core::Instant now, uint64_t events) {
  window_events_ += events;
  const core::Duration elapsed = now - window_began_;
  if (elapsed >= kWindow) {
    const auto elapsed_us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
    busy_ = window_events_ * 1'000'000 / static_cast<uint64_t>(elapsed_us) >= kBusyEventsPerSecond;
    window_began_ = now;
    window_events_ = 0;
  }
  return busy_ ? now + length_ : now;
}

}  // namespace outbox::postgres
