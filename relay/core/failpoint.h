#pragma once
// Named points where the crash suite kills the process. Compiled in only by the `crash` preset
// (OUTBOX_FAILPOINTS), never in what ships. OUTBOX_FAILPOINT=name:n in the environment makes the
// n-th hit of that point a SIGKILL. This is the one place with the names; tests/crash reads them
// from here.

#include <cstdint>

namespace outbox::core {

enum class Failpoint : uint8_t {
  after_sink_acknowledged,         // completions taken, nothing saved yet
  between_checkpoint_and_confirm,  // progress durable, upstream not told
  inside_large_transaction,        // an event handed out whose transaction has not ended
  inside_producer_rebuild,         // the old Kafka producer is gone, the new one not ready
};

#ifdef OUTBOX_FAILPOINTS
void hit_failpoint(Failpoint failpoint);
#else
inline void hit_failpoint(Failpoint) {}
#endif

}  // namespace outbox::core
