#include "relay/app/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "relay/core/assert.h"

namespace outbox::app {

Wakeup::Wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { OUTBOX_ASSERT(fd_ >= 0); }

Wakeup::~Wakeup() { close(fd_); }

void Wakeup::signal() {
  const uint64_t one = 1;
  // A full counter is readable all the same, so a short write loses nothing.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

void Wakeup::clear() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof count);
}

}  // namespace outbox::app
