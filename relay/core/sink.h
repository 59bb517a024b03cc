#pragma once
// Sink: where events go. Second seam of a pipeline; the journal (dead letters) is one more Sink.
//
// Thread: all calls come from the pipeline's thread. None of them waits; client threads live behind
// the seam. Lifetime: a delivery's event, destination and cause stay valid until its completion was
// taken from poll().
//
// Contract:
//  - Every admitted delivery completes exactly once. Destroying the sink ends those that are left
//  without a completion.
//  - ordering() says how the order of a key survives a failure:
//      fail_stop    After any completion but durable the sink admits nothing more (full) until all
//      it held has completed, each durable or returned (or refused for a cause of its own), and no
//      delivery submitted later of the same key and destination became durable. The pipeline then
//      submits again in order. A delivery that is refused before it was sent (too large for the
//      client, say) stops nothing, but nothing is admitted behind it before poll() has said so.
//      one_per_key  The sink promises nothing across deliveries; the pipeline keeps at most one a
//      key outside.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/core/clock.h"
#include "relay/core/event.h"
#include "relay/core/health.h"
#include "relay/core/outcome.h"
#include "relay/core/position.h"

namespace outbox::core {

enum class Ordering { fail_stop, one_per_key };

enum class DestinationState : uint8_t {
  unknown,  // not read yet; submit answers `wait`
  usable,
  missing,  // the destination does not exist, and asking again did not change that
  denied,   // it exists, but we may not write to it
};

/// One destination (a topic) and what the sink last read of it. Owned by the sink, lives as long as
/// the sink, changes only inside poll() and submit(). The Router refuses by these facts before a
/// record can spoil a batch.
struct Destination {
  std::string name;
  uint32_t id = 0;  // the sink's own index
  DestinationState state = DestinationState::unknown;
  size_t record_bytes_max = 0;  // 0: unknown
  /// What the sink adds to Event::bytes() at the least, since a refusal by it must be certain.
  size_t record_overhead_bytes = 0;
  Duration timestamp_ahead_max = Duration::max();
  bool key_required = false;  // a compacted topic
  uint64_t reads = 0;         // how often these facts were read
};

/// All but the first go to the journal. With a held or parked event the journal saves, in the same
/// transaction, that its stream is settled up to and with it: else a crash would bring events of
/// its key again that were delivered before it, and they would end up behind it.
enum class Purpose : uint8_t {
  deliver,
  dead_letter,  // keep it, with the cause; its key goes on
  hold,         // keep it, and its key's later events behind it; tried again by itself
  park,         // the same, until an operator acts
  result,       // of a letter that was delivered again (no cause), or refused again (cause)
};

struct Delivery {
  Ticket ticket;
  const Event* event = nullptr;
  const Destination* destination =
      nullptr;  // null only for dead letters of events that no route or topic fits
  /// Why the journal keeps it; null for an event that only stands behind a letter of its key.
  const Cause* cause = nullptr;
  uint64_t epoch = 0;
  uint32_t attempts = 0;  // failed deliveries before this one
  uint32_t route = 0;     // as the Router numbers them: says which format the record has
  PositionForm position_form = PositionForm::number;
  Purpose purpose = Purpose::deliver;
};

enum class Admission : uint8_t {
  admitted,
  full,  // no memory, or fenced after a failure: submit nothing more this step
  wait,  // this delivery's destination or partition only: others may pass
};

class Sink {
 public:
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  virtual Ordering ordering() const = 0;

  /// The destination called `name`; starts to read its facts when it is new. Never fails: a name
  /// that nobody can use becomes `missing`.
  virtual const Destination& destination(std::string_view name) = 0;

  /// What is known of the destination may be old, since somebody says that it was mended: reads it
  /// again, soon (then `reads` and wait_generation() rise). False: nothing newer can be known.
  virtual bool look_again(const Destination& destination) {
    static_cast<void>(destination);
    return false;
  }

  virtual Admission submit(const Delivery& delivery, Now now) = 0;

  /// Appends every completion that is there, until none is left (a client library may wake its fd
  /// only once until then).
  virtual void poll(std::vector<Completion>& completions, Now now) = 0;

  /// Rises whenever something that was answered `wait` may be admitted now, so that waiting keys
  /// are not tried in vain.
  virtual uint64_t wait_generation() const = 0;

  virtual Interest interest(Instant now) const = 0;
  virtual Health health() const = 0;

 protected:
  Sink() = default;
};

}  // namespace outbox::core
