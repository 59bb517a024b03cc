#pragma once
// LagMeter: how far behind a pipeline is, true also when nobody writes. Pure; one a pipeline.
//
// The oldest open event tells the lag while there is one. With none open, the heartbeat does: the
// source writes one into its own log every second or so, and until it came by, something committed
// before it may still be on its way. Once the newest heartbeat came by, the lag is zero.

#include <cstdint>
#include <optional>

#include "relay/core/clock.h"
#include "relay/core/position.h"

namespace outbox::app {

/// A heartbeat as the source last wrote it.
struct Heartbeat {
  core::Position position;
  core::Instant at{};
  std::optional<uint64_t> newest_seq;  // of the outbox's sequence, when the heartbeat was written
};

/// What is settled, as the window says.
struct SettledMarks {
  std::optional<core::Position> boundary;
  uint64_t seq = 0;
  std::optional<core::WallTime> oldest_open_commit;
};

class LagMeter {
 public:
  void observe(const std::optional<Heartbeat>& newest, const SettledMarks& settled, core::Now now);

  /// nullopt: not known yet.
  std::optional<double> seconds() const { return seconds_; }
  /// Numbers given out by the sequence and not settled; rolled-back ones among them until the next
  /// heartbeat came by.
  std::optional<uint64_t> events() const { return events_; }

 private:
  std::optional<Heartbeat> awaited_;  // the oldest one that has not come by
  std::optional<double> seconds_;
  std::optional<uint64_t> events_;
};

}  // namespace outbox::app
