#pragma once
// What a Postgres source needs to know. Filled in from [source.<name>] by the wiring; a plain
// value.

#include <cstdint>
#include <string>
#include <vector>

#include "relay/core/clock.h"

namespace outbox::postgres {

/// A further column that a record's format needs (core::Extra).
struct ExtraColumn {
  enum class Use : uint8_t { any, time };  // time: its type must be timestamp or timestamptz
  enum class Absence : uint8_t { refused, passed_over };
  std::string name;
  Use use = Use::any;
  Absence absence = Absence::refused;
};

/// What the table's columns are called; the defaults are outbox.event's. An empty name means: none;
/// every one but `id` may be none, and one of the two payloads. A column that has its default name
/// here and is `seq`, `headers` or a payload may also be missing in the table.
struct ColumnNames {
  std::string seq = "seq";
  std::string id = "id";
  std::string aggregate_type = "aggregate_type";
  std::string aggregate_id = "aggregate_id";
  std::string event_type = "event_type";
  std::string payload = "payload";
  std::string payload_bytes = "payload_bytes";
  std::string headers = "headers";
  std::vector<ExtraColumn> extras;

  // The rest is for Mode::status only.
  std::string status;  // READY, SENT or FAIL
  std::string order;   // rises with each insert; empty: `created_at` stands in for it
  std::string cause;   // takes the reason of a FAIL; empty: none does
  std::string created_at = "created_at";
};

struct TableName {
  std::string schema = "outbox";
  std::string name = "event";

  std::string text() const { return schema + "." + name; }
};

/// What must hold of a column of a changed row, besides the operation.
struct CaptureCondition {
  enum class Kind : uint8_t {
    is,          // its value afterwards, of a delete before
    changed,     // another value than before; an insert and a delete change every column
    changed_to,  // changed, and `value` now
  };
  std::string column;
  Kind kind = Kind::is;
  std::string value;  // as Postgres prints it
};

/// A business table whose changes become events. Several may name one table, with one key: the
/// first that has a type for the operation, and whose conditions hold, makes the event.
struct CaptureRule {
  TableName table;
  std::string aggregate_type;
  std::vector<std::string> key;      // columns, at least one
  std::vector<std::string> columns;  // empty: all
  bool before = false;               // an update tells the row before it, too
  std::string insert;                // event types; empty: the operation makes no event
  std::string update;
  std::string erase;
  std::vector<CaptureCondition> when;  // all must hold
};

/// How events leave Postgres.
enum class Mode : uint8_t {
  wal,     // logical replication of the inserts (wal_source.h)
  poll,    // reading the table itself (poll_source.h)
  status,  // reading READY rows and marking them SENT or FAIL (status_source.h)
};

/// What an UPDATE of an outbox row means, which no outbox should have. Seen only in mode wal, and
/// only if the publication publishes updates.
enum class OnUpdate : uint8_t {
  ignore,
  warn,  // a notice; the row's change is not delivered
  stop,  // the pipeline ends with an error, before what comes behind it
};

/// Mode::status: keys are spread over this many shards at the most.
inline constexpr uint32_t kShardsMax = 1024;

struct PostgresOptions {
  /// postgresql:// URL or key=value string for libpq, with its password: never printed.
  std::string url;
  /// Key of outbox.progress; also in application_name.
  std::string pipeline;
  Mode mode = Mode::wal;
  std::string slot;
  std::string publication;
  TableName table;
  ColumnNames columns;
  OnUpdate on_update = OnUpdate::ignore;
  /// Mode::wal: business tables beside the outbox (detail/captures.h).
  std::vector<CaptureRule> captures;

  /// How often the heartbeat writes a message into the WAL and reads the slot's state. It lets an
  /// idle outbox's slot move and lag return to zero. Zero turns it off.
  core::Duration heartbeat_interval = std::chrono::seconds(1);

  /// The longest pause between two looks of a poll, when no rows come.
  core::Duration poll_interval_most = std::chrono::milliseconds(50);

  /// Mode::status: into how many shards the keys are divided; the same in all relays of a pipeline.
  uint32_t shards = 8;

  /// How old a delivered row must be to be removed (retention.h). Zero: none is.
  core::Duration retention = core::Duration::zero();

  /// Where reconnect delays draw their jitter from; tests fix it.
  uint64_t jitter_seed = 0;
};

}  // namespace outbox::postgres
