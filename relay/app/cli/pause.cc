#include "relay/app/cli/pause.h"

#include <signal.h>

#include <cerrno>

namespace outbox::app {

namespace {

sigset_t ending_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  return ending;
}

}  // namespace

bool pause_for(std::chrono::milliseconds duration) {
  const sigset_t ending = ending_signals();
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(duration - seconds);
  const timespec patience{seconds.count(), static_cast<long>(rest.count())};
  return sigtimedwait(&ending, nullptr, &patience) < 0;
}

void end_pauses() {
  const sigset_t ending = ending_signals();
  sigprocmask(SIG_UNBLOCK, &ending, nullptr);
}

}  // namespace outbox::app
