#pragma once
// Config: what a config file says, checked and with every default filled in. relay/docs/config.md
// explains each key to users; this is the same for the program.
//
// Made by load_config() (load.h) only, so a Config that exists is valid: names are unique and
// legal, every reference has its target, every number is within its bounds.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "relay/app/config/capture_config.h"
#include "relay/app/config/record_format.h"
#include "relay/app/secret.h"
#include "relay/core/limits.h"
#include "relay/flow/brake.h"
#include "relay/flow/router.h"

namespace outbox::app {

/// Where the admin server listens. `host` is an IP address.
struct ListenAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 9187;
  bool operator==(const ListenAddress&) const = default;
};

struct AdminConfig {
  ListenAddress listen;
  Secret token;  // empty: none asked for; only on loopback
  bool operator==(const AdminConfig&) const = default;
};

/// How events leave Postgres.
enum class SourceMode : uint8_t {
  wal,
  poll,
  status,  // mode = "poll" with a status column
};

/// What the outbox table's columns are called. Empty: the table has none.
struct ColumnNames {
  std::string seq = "seq";
  std::string id = "id";
  std::string aggregate_type = "aggregate_type";
  std::string aggregate_id = "aggregate_id";
  std::string event_type = "event_type";
  std::string payload = "payload";
  std::string payload_bytes = "payload_bytes";
  std::string headers = "headers";

  // The rest is for polling by status.
  std::string created_at = "created_at";
  std::string status;  // empty: rows are not marked
  std::string order;   // empty: created_at stands in for it
  std::string cause;
  bool operator==(const ColumnNames&) const = default;
};

/// What an UPDATE of an outbox row means.
enum class OnUpdate : uint8_t { ignore, warn, stop };

/// A Postgres database with an outbox.
struct SourceConfig {
  std::string name;
  SourceMode mode = SourceMode::wal;
  Secret url;               // as libpq takes it
  std::string slot;         // default outbox_<name>
  std::string publication;  // default: as the slot
  std::string table_schema = "outbox";
  std::string table_name = "event";
  ColumnNames columns;
  OnUpdate on_update = OnUpdate::ignore;
  /// Mode wal: business tables whose changes are events, too.
  std::vector<CaptureConfig> captures;
  /// Mode status: into how many shards the keys are divided.
  uint32_t shards = 8;

  /// How often a heartbeat goes into the WAL, so that lag is true when nobody writes. 0: never.
  std::chrono::milliseconds heartbeat{1000};
  /// Mode poll: the longest pause between two looks while no rows come.
  std::chrono::milliseconds poll_interval{50};
  /// How old delivered rows must be to be removed. 0: they stay.
  std::chrono::seconds retention{0};
  bool operator==(const SourceConfig&) const = default;
};

enum class SinkType : uint8_t { kafka, postgres };

/// What a Postgres sink does with an event.
enum class ProjectionKind : uint8_t { table, function };

/// A Kafka cluster, or another Postgres database.
struct SinkConfig {
  std::string name;
  SinkType type = SinkType::kafka;

  // Kafka
  std::string bootstrap_servers;
  std::map<std::string, Secret> properties;  // for librdkafka, as they are

  // Postgres
  Secret url;  // as libpq takes it
  ProjectionKind projection = ProjectionKind::table;
  std::string target_schema;
  std::string target_name;

  /// The one destination of a Postgres sink, as routes, letters and metrics call it.
  std::string target() const { return target_schema + "." + target_name; }
  bool operator==(const SinkConfig&) const = default;
};

/// How a key is tried again whose event was held.
struct HoldConfig {
  std::chrono::milliseconds first{1'000};
  std::chrono::milliseconds most{300'000};
  uint32_t attempts_max = 100;
  std::chrono::seconds give_up{86'400};  // then it is parked
  bool operator==(const HoldConfig&) const = default;
};

/// What becomes of replays of a route's letters.
struct ReplayConfig {
  bool second_approver = false;
  uint32_t replays_max = 10;  // by jobs; then only a forced one takes the letter
  /// The relay asks by itself once the route has been healthy for so long. 0: never.
  std::chrono::seconds automatic_after{0};
  uint32_t automatic_first_per_s = 10;
  uint32_t automatic_most_per_s = 1'000;
  uint32_t automatic_failures_max = 10;
  uint32_t automatic_replays_max = 3;
  bool operator==(const ReplayConfig&) const = default;
};

struct PipelineConfig {
  std::string name;
  std::string source;
  std::string sink;
  std::vector<flow::Route> routes;    // never empty: without any in the file, the default route
  std::vector<RecordFormat> formats;  // one a route
  std::vector<HoldConfig> holds;      // one a route
  std::vector<ReplayConfig> replays;  // one a route
  uint32_t held_retries_per_s = 200;  // of all routes together

  size_t window_events = core::kWindowCells;  // a power of two: what the file says is rounded up
  size_t window_bytes = core::kWindowBytes;
  flow::BrakeOptions brake;
  /// How long SIGTERM waits for what is under way.
  std::chrono::milliseconds drain_timeout{10'000};
  bool operator==(const PipelineConfig&) const = default;
};

struct Config {
  std::string file;  // as it was named, for messages
  AdminConfig admin;
  std::vector<SourceConfig> sources;  // in the order of the file, as all lists
  std::vector<SinkConfig> sinks;
  std::vector<PipelineConfig> pipelines;

  const SourceConfig& source_of(const PipelineConfig& pipeline) const;
  const SinkConfig& sink_of(const PipelineConfig& pipeline) const;
};

}  // namespace outbox::app
