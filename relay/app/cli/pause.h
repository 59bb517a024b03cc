#pragma once
// pause_for: waits between two looks of a --watch, unless Ctrl-C or SIGTERM comes first.

#include <chrono>

namespace outbox::app {

/// False when a signal asked to end; the caller returns then, in good order.
bool pause_for(std::chrono::milliseconds duration);

}  // namespace outbox::app
