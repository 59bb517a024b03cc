#include "connectors/kafka/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "relay/core/assert.h"

namespace outbox::kafka {

Wakeup::Wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { OUTBOX_ASSERT(fd_ >= 0); }

Wakeup::~Wakeup() { close(fd_); }

void Wakeup::signal() {
  const uint64_t one = 1;
  // A full counter is a signal that was not drained yet: nothing is lost.
  static_cast<void>(!write(fd_, &one, sizeof one));
}

void Wakeup::drain() {
  uint64_t signals = 0;
  static_cast<void>(!read(fd_, &signals, sizeof signals));
}

}  // namespace outbox::kafka
