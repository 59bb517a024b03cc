#include "relay/app/cli/pause.h"

#include <signal.h>

#include <cerrno>

namespace outbox::app {

bool pause_for(std::chrono::milliseconds duration) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(duration - seconds);
  const timespec patience{seconds.count(), static_cast<long>(rest.count())};
  return sigtimedwait(&ending, nullptr, &patience) < 0;
}

}  // namespace outbox::app
