#pragma once
// Checkpoint: remembers how far a pipeline is. Third seam: sink durable -> progress saved ->
// confirm upstream (invariant 6). The upstream is never confirmed past what was saved.
//
// Thread: the pipeline's. Nothing waits: save() starts, poll() tells when it is durable. A lost
// connection heals behind the seam and the newest progress is saved again.

#include <cstdint>
#include <optional>

#include "relay/core/clock.h"
#include "relay/core/health.h"
#include "relay/core/outcome.h"
#include "relay/core/position.h"
#include "relay/core/result.h"

namespace outbox::core {

/// How far one stream is. Both marks are monotonic, and what is stored never moves back: a mark
/// that is still zero (after a start, before the first event) or below the stored one leaves the
/// stored one as it is.
struct Progress {
  StreamId stream;
  /// The last boundary with everything before it settled; may be confirmed upstream once saved.
  /// WAL: (end_lsn, 0).
  Position boundary;
  /// The last event of the settled prefix: where to resume inside a transaction. WAL: (commit_lsn,
  /// ordinal).
  Position settled;

  friend bool operator==(const Progress& a, const Progress& b) {
    return a.stream == b.stream && a.boundary == b.boundary && a.settled == b.settled;
  }
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  /// False from save() until poll() has reported it; then save() must not be called.
  virtual bool idle() const = 0;
  virtual void save(const Progress& progress, uint64_t epoch) = 0;

  /// This event became a dead letter, or a rule skipped it, because of `cause`; told once, before
  /// save() covers it. For stores that keep a state for each event; others need not listen.
  virtual void refused(StreamId stream, Position position, const Cause& cause) {
    static_cast<void>(stream), static_cast<void>(position), static_cast<void>(cause);
  }

  /// The progress whose save just became durable, once. An Error ends the pipeline: a newer relay
  /// raised the epoch (invariant 8), or the store cannot be used.
  virtual Result<std::optional<Progress>> poll(Now now) = 0;

  virtual Interest interest(Instant now) const = 0;
  virtual Health health() const = 0;

 protected:
  Checkpoint() = default;
};

}  // namespace outbox::core
