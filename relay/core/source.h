#pragma once
// Source: where events come from. First seam of a pipeline (Source -> Router -> Window -> Lanes ->
// Sink).
//
// Thread: all calls come from the pipeline's thread. None of them waits: connecting, reconnecting
// and name look-ups go on behind the seam, and until they are done poll() just brings nothing.
//
// Contract:
//  - Items of one stream come in Position order, each event exactly once per process: after a
//    reconnect the source drops what it already handed out. Only after a restart are unconfirmed
//    events handed out again, with the same id, key and bytes (invariant 4).
//  - Only committed work comes out (invariant 2).
//  - A boundary says: every event of this stream before `position` has been handed out, and no
//    later one will lie before it. Commit ends and keepalives outside a transaction are boundaries;
//    a keepalive inside one is not.
//  - What was not confirmed is not forgotten upstream (invariant 1).

#include <cstddef>
#include <span>
#include <vector>

#include "relay/core/chunk.h"
#include "relay/core/clock.h"
#include "relay/core/event.h"
#include "relay/core/health.h"
#include "relay/core/position.h"
#include "relay/core/result.h"

namespace outbox::core {

/// A replay source (flow/pipeline.h) hands out letters of the journal, in rounds: the events of one
/// round, then a boundary; the next round comes once that was confirmed. Before the first round
/// come the keys that have letters, then a boundary. Between rounds come keys whose letters left by
/// other ways than this.
enum class ItemKind : uint8_t {
  event,     // `event` and the `chunk` it lives in
  boundary,  // `event.position` only
  blocked,   // `event` names a key by what routes it; `letters` of it are held or parked
  released,  // the same; `letters` of it are no more
};

struct Item {
  ItemKind kind = ItemKind::event;
  StreamId stream;
  Event event;
  ChunkRef chunk;
  /// From a replay source: how many letters that block their key this item stands for. An event is
  /// 1 of a held or parked letter, 0 of a dead one.
  uint64_t letters = 0;
};

/// What one poll brought. Owned by the pipeline and reused, so that a step allocates nothing.
using Batch = std::vector<Item>;

/// Room in one stream's window. With `events` or `bytes` at zero the source takes nothing from that
/// stream. A single event may be larger than `bytes`: it is handed out, and is the last until
/// memory is free again (invariant 7).
struct Credit {
  size_t events = 0;
  size_t bytes = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// Appends what is there to `batch`, within `credit` (indexed by StreamId). Called in every step,
  /// also without credit: then it only keeps its connection alive. An Error ends the pipeline: what
  /// can heal by itself is not returned but shown by health().
  virtual Result<void> poll(Batch& batch, std::span<const Credit> credit, Now now) = 0;

  /// Everything at or before `settled.low` may be forgotten upstream. Cumulative, monotonic, cheap:
  /// sent with the next status message. Progress was saved before this is called (invariant 6).
  virtual void confirm(const Settled& settled) = 0;

  /// Streams are numbered from 0; the pipeline keeps one window each.
  virtual size_t stream_count() const = 0;

  virtual PositionForm position_form() const = 0;
  virtual Interest interest(Instant now) const = 0;
  virtual Health health() const = 0;

 protected:
  Source() = default;
};

}  // namespace outbox::core
