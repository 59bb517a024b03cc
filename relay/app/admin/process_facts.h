#pragma once
// ProcessFacts: what this process costs, read from the kernel.

#include <cstdint>

#include "relay/core/clock.h"

namespace outbox::app {

struct ProcessFacts {
  int pid = 0;
  double uptime_seconds = 0;
  uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  // user and system
  uint64_t open_files = 0;
};

/// `started` is when the process began, as the caller saw it. What cannot be read is 0.
ProcessFacts read_process_facts(core::Instant started, core::Instant now);

}  // namespace outbox::app
