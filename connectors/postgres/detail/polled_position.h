#pragma once
// Positions of rows that are polled while a slot is waited for (interim_poll.h): (an LSN before the
// slot's begin, seq + 1), for rows and for the boundaries between them. They lie above all that was
// handed out before and below all that the slot brings, in the order of the numbers. A boundary of
// the WAL has 0 for its minor, so each kind is known by itself; hence the 1 for seq 0.
//
// Their LSN says nothing about what else was committed before it: it is never saved as progress,
// nor told to a walsender. The number is. Pure.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "relay/core/checkpoint.h"
#include "relay/core/lsn.h"
#include "relay/core/position.h"

namespace outbox::postgres {

inline core::Position polled_position(core::Lsn since, uint64_t seq) {
  return {since.value, seq + 1};
}

inline bool is_polled_boundary(core::Position boundary) { return boundary.minor != 0; }

/// The number up to which every committed row is settled, if that is what `progress` is about.
inline std::optional<uint64_t> polled_number(const core::Progress& progress) {
  if (!is_polled_boundary(progress.boundary)) return std::nullopt;
  // All rows come, in order: each is as good an end as a boundary. A refilled row is none.
  const bool same = progress.settled.major == progress.boundary.major;
  return (same ? std::max(progress.boundary, progress.settled) : progress.boundary).minor - 1;
}

}  // namespace outbox::postgres
