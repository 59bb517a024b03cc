#pragma once
// Health and Interest: what every part that touches the world tells the runner between steps.

#include <string>

#include "relay/core/clock.h"

namespace outbox::core {

/// What to wake the loop for. The runner sleeps in poll(2) on all interests together.
struct Interest {
  int fd = -1;            // -1: none
  bool readable = true;   // wait for input on fd
  bool writable = false;  // wait for output on fd
  /// Before this the fd is left out of poll(2): the reader's nap, which lets a busy walsender fill
  /// whole batches while sinks and timers still wake the loop.
  Instant not_before{};
  Instant wake_at = kNever;  // wake at this time in any case
};

enum class HealthState { starting, ok, waiting, stopped };

/// One line for `status`, /readyz and the log. `reason` is empty when ok, else what is awaited and
/// what to do.
struct Health {
  HealthState state = HealthState::starting;
  std::string reason;
};

const char* to_string(HealthState state);

}  // namespace outbox::core
