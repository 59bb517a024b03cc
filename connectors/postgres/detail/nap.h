#pragma once
// Nap: when the reader should sleep on although there may be input. A walsender flushes each
// message to a reader that is awake; a reader that lets it fill whole batches halves the CPU of
// both and doubles throughput (decisions: the reader's nap). So: wake at once when quiet, coalesce
// when busy.
//
// Pure: told what a drain brought and when, says until when to nap. Latency at 2,000 events/s must
// not suffer, so the rate decides: measured over windows of 50 ms, it must stay above the threshold
// for a whole window before the first nap.

#include <cstdint>

#include "relay/core/clock.h"

namespace outbox::postgres {

class Nap {
 public:
  /// Naps begin above this rate.
  static constexpr uint64_t kBusyEventsPerSecond = 10'000;
  static constexpr core::Duration kWindow = std::chrono::milliseconds(50);

  /// How long a nap is. A TCP socket takes megabytes meanwhile; a Unix socket of Linux is full
  /// after some 270 small messages, and past that the walsender would only wait.
  static constexpr core::Duration kLengthTcp = std::chrono::milliseconds(15);
  static constexpr core::Duration kLengthUnix = std::chrono::milliseconds(1);

  explicit Nap(core::Duration length) : length_(length) {}

  /// The socket was drained until empty at `now`, and brought `events` since the last call. Returns
  /// until when to leave the socket alone; `now` or earlier: not at all.
  core::Instant drained(core::Instant now, uint64_t events);

  /// Events that came while credit, not the socket, ended the reading: they count for the rate.
  void add(uint64_t events) { window_events_ += events; }

  bool busy() const { return busy_; }

 private:
  core::Duration length_;
  core::Instant window_began_{};
  uint64_t window_events_ = 0;
  bool busy_ = false;
};

}  // namespace outbox::postgres
