#include "connectors/postgres/detail/waiter.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace outbox::postgres {
namespace {

int milliseconds_until(core::Instant deadline) {
  if (deadline == core::kNever) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3'600'000));
}

}  // namespace

EventFd::EventFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { OUTBOX_ASSERT(fd_ >= 0); }

EventFd::~EventFd() { close(fd_); }

void EventFd::raise() {
  const uint64_t one = 1;
  const ssize_t written = write(fd_, &one, sizeof one);
  OUTBOX_ASSERT(written == sizeof one || errno == EAGAIN);
}

void EventFd::lower() {
  uint64_t count = 0;
  const ssize_t taken = read(fd_, &count, sizeof count);
  OUTBOX_ASSERT(taken == sizeof count || errno == EAGAIN);
}

Wait Waiter::wait(int fd, short events, core::Instant deadline) const {
  pollfd fds[2] = {{call_off_.fd(), POLLIN, 0}, {fd, events, 0}};
  while (true) {
    const int ready = poll(fds, 2, milliseconds_until(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (fds[0].revents != 0) return Wait::called_off;
    if (ready > 0) return Wait::ready;  // also POLLERR and POLLHUP: the caller's next call tells
    if (ready == 0 && std::chrono::steady_clock::now() >= deadline) return Wait::timeout;
  }
}

Wait Waiter::pause(core::Instant deadline) const { return wait(-1, 0, deadline); }

}  // namespace outbox::postgres
