#pragma once
// SourceFacts: what the last heartbeat saw, for metrics, status and lag; PollFacts: what the last
// look of a poll saw. Plain values; they belong to the pipeline's thread.

#include <cstdint>
#include <optional>
#include <string>

#include "relay/core/clock.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

struct SourceFacts {
  core::Instant read_at{};           // when the heartbeat was sent; zero: none came back yet
  core::Lsn heartbeat;               // where its message lies in the WAL
  core::Lsn wal_end;                 // the server's write position then
  std::optional<uint64_t> last_seq;  // highest number the sequence gave out before the heartbeat

  core::Lsn confirmed_flush;
  core::Lsn restart;
  std::string wal_status;  // reserved, extended, unreserved, lost; empty: no such slot
  std::optional<int64_t> safe_wal_bytes;  // until the slot is lost; nullopt: no limit set

  /// WAL that the slot keeps from being removed.
  uint64_t kept_wal_bytes() const {
    return restart.valid() && wal_end > restart ? wal_end.value - restart.value : 0;
  }
  /// WAL between what was confirmed and the server's end.
  uint64_t lag_wal_bytes(core::Lsn confirmed) const {
    return confirmed.valid() && wal_end > confirmed ? wal_end.value - confirmed.value : 0;
  }
};

/// What a poll saw last, for metrics and status.
struct PollFacts {
  core::Instant read_at{};  // zero: no poll came back yet
  uint64_t last_seq = 0;    // the sequence's last value then
  uint64_t horizon = 0;
  std::string held_back_by;  // who keeps the horizon below last_seq; empty: nobody
  core::Instant held_back_since{};
};

/// How many events wait: the sequence's value at the last heartbeat minus the highest settled one,
/// and zero once that heartbeat's own LSN is confirmed (numbers may have been rolled back). nullopt
/// while nothing is known.
std::optional<uint64_t> lag_events(const SourceFacts& facts, uint64_t settled_seq,
                                   core::Lsn confirmed);

}  // namespace outbox::postgres
