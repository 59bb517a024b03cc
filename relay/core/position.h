#pragma once
// Where an event stands in its source.
//
// A source has one or more *streams* (the replication slot; later each Kafka partition, each local
// segment). A Position is totally ordered inside one stream and timeline and means nothing across
// them:
//   Postgres WAL   (commit_lsn as BEGIN gives it, ordinal from 1 inside the transaction)
//   polling        (seq, 0)
//   Kafka          (offset, 0)
// A commit's boundary carries (end_lsn, 0): it lies behind every event of its transaction and
// before every later one, because the next transaction's commit record starts at or after end_lsn.

#include <compare>
#include <cstdint>
#include <string>

namespace outbox::core {

struct Position {
  uint64_t major = 0;
  uint64_t minor = 0;

  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

/// How a source's positions read in record headers and messages.
enum class PositionForm {
  lsn_ordinal,  // "16/B374D848/3"
  number,       // "4711"
  told,         // of a letter: its event brings the text that it had at first (event.h)
};

std::string to_string(Position position, PositionForm form);

/// Appends the same text to `out` without another allocation; for the hot path.
void append_position(std::string& out, Position position, PositionForm form);

struct StreamId {
  uint16_t value = 0;
  friend constexpr auto operator<=>(StreamId, StreamId) = default;
};

/// Names one cell of one stream's window. `index` counts all cells ever added to that window, so a
/// ticket is never reused within a process. Rides as the opaque through any client library, packed
/// into 64 bits.
struct Ticket {
  StreamId stream;
  uint64_t index = 0;  // below 2^48

  friend constexpr auto operator<=>(const Ticket&, const Ticket&) = default;

  constexpr uint64_t pack() const { return (uint64_t{stream.value} << 48) | index; }
  static constexpr Ticket unpack(uint64_t packed) {
    return Ticket{StreamId{static_cast<uint16_t>(packed >> 48)},
                  packed & ((uint64_t{1} << 48) - 1)};
  }
};

/// What a pipeline has settled in one stream: everything at or before `low` is durably owned by
/// somebody else, and `low` is a boundary, so the source may forget up to there. Cumulative and
/// monotonic.
struct Settled {
  StreamId stream;
  Position low;
};

}  // namespace outbox::core
