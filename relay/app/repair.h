#pragma once
// Repair: what `outbox verify --repair` asks of the wiring for events that were found lost. They
// are made letters of the journal (core::kLostCode). Sending them is the relay's work, by a replay
// of those letters, so that they go in the order of their keys and by nobody else.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "relay/app/config/config.h"
#include "relay/core/clock.h"
#include "relay/core/result.h"

namespace outbox::app {

/// A row that was found lost. Plain, so that any number of them can be kept on disk.
struct LostRow {
  uint64_t seq = 0;
  uint64_t overtaken_by = 0;  // the latest row of its key that has a record; 0: none behind it has

  friend bool operator<(const LostRow& a, const LostRow& b) { return a.seq < b.seq; }
};

/// A lost event that is a letter now.
struct FiledEvent {
  std::string id;
  uint64_t seq = 0;
  std::optional<std::string> key;
  std::string topic;  // empty: no route sends it anywhere
  uint64_t letter = 0;
  std::optional<uint64_t> overtaken_by;
};

struct RepairInputs {
  const Config& config;
  const PipelineConfig& pipeline;
  core::WallTime found_at;  // VerifyOutcome::begun_at
  std::string reason;
  /// The rows, lowest seq first; nullopt behind the last.
  std::function<core::Result<std::optional<LostRow>>()> next;
  std::function<void(const FiledEvent&)> tell;
};

struct RepairCounts {
  uint64_t filed = 0;
  uint64_t known = 0;  // letters already, or delivered since they were found lost
  uint64_t gone = 0;   // their rows were removed meanwhile
};

}  // namespace outbox::app
