#pragma once
// Lease: the right to act for a source. Past `until` a pipeline submits nothing and confirms
// nothing; completions of what is already outside are still taken in. Until relays can take over
// from each other, the replication slot is the lease: `epoch` is raised in outbox.progress at each
// start and `until` is renewed while the walsender answers (invariant 8).

#include <cstdint>

#include "relay/core/clock.h"

namespace outbox::core {

struct Lease {
  uint64_t epoch = 0;
  Instant until{};

  bool holds_at(Instant instant) const { return instant < until; }
};

}  // namespace outbox::core
