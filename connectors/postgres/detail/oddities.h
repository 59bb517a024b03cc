#pragma once
// Oddities: tells a person what came by in the WAL that no outbox should have, each at its first
// time. Belongs to WalSource, on the pipeline's thread.

#include <cstdint>

#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/wal_reader.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

class Oddities {
 public:
  /// Adds a notice for what is new in `counters`.
  void tell(const ReaderCounters& counters, const PostgresOptions& options, SharedSlot& shared);

 private:
  uint64_t forged_ = 0;
  uint64_t truncates_ = 0;
  uint64_t updates_next_ = 1;
};

}  // namespace outbox::postgres
