#pragma once
// The id of an event that a row change makes. It is computed from where the change stands in the
// WAL, so it is the same after a restart, a reconnect and a failover, and no counter is kept.
// Pure.

#include <cstdint>
#include <string>

#include "relay/core/event.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

struct ChangePlace {
  std::string system_id;
  uint32_t timeline = 0;  // on which the LSN was written
  core::Lsn lsn;          // of the change's own WAL record
  uint32_t row = 0;       // among the rows of that record: COPY writes several into one
  uint8_t half = 0;       // 1: the second event of a change that makes two
};

/// A UUID of version 8.
core::Uuid change_id(const ChangePlace& place);

}  // namespace outbox::postgres
