#pragma once
// pause_for: waits between two looks of a --watch, unless Ctrl-C or SIGTERM comes first. From the
// first pause on these signals wait for the next one.

#include <chrono>

namespace outbox::app {

/// False when a signal asked to end; the caller returns then, in good order.
bool pause_for(std::chrono::milliseconds duration);

/// Ctrl-C and SIGTERM end the process again.
void end_pauses();

}  // namespace outbox::app
