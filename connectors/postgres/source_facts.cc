#include "connectors/postgres/source_facts.h"

namespace outbox::postgres {

std::optional<uint64_t> lag_events(const SourceFacts& facts, uint64_t settled_seq,
                                   core::Lsn confirmed) {
  if (facts.heartbeat.valid() && confirmed >= facts.heartbeat) return 0;
  if (!facts.last_seq) return std::nullopt;
  return *facts.last_seq > settled_seq ? *facts.last_seq - settled_seq : 0;
}

}  // namespace outbox::postgres
