#pragma once
// PipelineParts: what wiring builds from the config and a PipelineRunner runs. Concrete connectors
// are known to wiring.cc only; everything else sees the seams and a few callbacks.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/app/lag_meter.h"
#include "relay/app/log/log.h"
#include "relay/app/snapshot.h"
#include "relay/core/checkpoint.h"
#include "relay/core/lease.h"
#include "relay/core/sink.h"
#include "relay/core/source.h"
#include "relay/flow/pipeline.h"
#include "relay/flow/router.h"

namespace outbox::app {

/// What a source can say of itself beyond the seam, for metrics and status. Absent where it is not
/// known yet.
struct SourceGauges {
  std::optional<Heartbeat> heartbeat;               // the newest
  std::optional<uint64_t> lag_wal_bytes;            // current WAL position minus confirmed
  std::optional<uint64_t> slot_retained_wal_bytes;  // current WAL position minus restart_lsn
  std::optional<int64_t> safe_wal_size_bytes;       // until the slot is lost; absent: no limit
  /// How long an open transaction has kept events back; absent where none can.
  std::optional<double> held_back_seconds;
  /// Shards of keys that are read here; absent where keys are not divided.
  std::optional<uint64_t> shards;
  std::optional<RetentionSnapshot> retention;  // absent: rows are not removed
  uint64_t reconnects = 0;
  uint64_t replays_proposed = 0;  // that wait for a second person
};

/// Something that a person should read once, from a connector.
struct Notice {
  LogLevel level = LogLevel::info;
  std::string text;
};

struct PipelineParts {
  std::string name;
  flow::PipelineOptions options;
  std::vector<flow::Route> routes;
  flow::PreChecks pre_checks = flow::PreChecks::on;

  std::shared_ptr<core::ChunkPool> pool;  // first: it outlives whoever holds its chunks
  std::unique_ptr<core::Source> source;
  std::unique_ptr<core::Checkpoint> checkpoint;
  std::unique_ptr<core::Sink> sink;
  std::unique_ptr<core::Sink> journal;
  std::vector<std::unique_ptr<core::Sink>> behind_journal;  // what it is made of, if of several
  std::unique_ptr<core::Source> replay;              // null where the journal gives nothing back
  std::vector<core::Duration> replay_after;          // one a route, see flow::Recovery
  std::function<void(uint32_t route)> replay_route;  // asks for it; null without a replay

  std::function<core::Lease(core::Instant)> lease;
  std::function<SourceGauges()> gauges;
  std::function<uint64_t()> producer_rebuilds;
  /// What came up since the last call.
  std::function<std::vector<Notice>()> take_notices;
  /// Says good-bye to the source with the last confirmed position. At most about a second.
  std::function<void(core::Now)> close;
  /// Looks at what must be there before the first event, and makes what may be made: may wait some
  /// seconds, on a thread of its own. Called again after an Error with fault retry; later if its
  /// code is NOT_LET_IN.
  std::function<core::Result<void>()> prepare;
};

}  // namespace outbox::app
