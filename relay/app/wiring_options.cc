#include "relay/app/wiring_options.h"

#include <utility>

#include "connectors/kafka/properties.h"
#include "connectors/postgres/letter_options.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/projection_options.h"
#include "relay/app/wiring_formats.h"

namespace outbox::app {
namespace {

postgres::Mode mode_of(SourceMode mode) {
  switch (mode) {
    case SourceMode::wal:
      return postgres::Mode::wal;
    case SourceMode::poll:
      return postgres::Mode::poll;
    case SourceMode::status:
      return postgres::Mode::status;
  }
  return postgres::Mode::wal;
}

postgres::ColumnNames columns_of(const ColumnNames& names) {
  postgres::ColumnNames columns;
  columns.seq = names.seq;
  columns.id = names.id;
  columns.aggregate_type = names.aggregate_type;
  columns.aggregate_id = names.aggregate_id;
  columns.event_type = names.event_type;
  columns.payload = names.payload;
  columns.payload_bytes = names.payload_bytes;
  columns.headers = names.headers;
  columns.created_at = names.created_at;
  columns.status = names.status;
  columns.order = names.order;
  columns.cause = names.cause;
  return columns;
}

postgres::OnUpdate on_update_of(OnUpdate config) {
  switch (config) {
    case OnUpdate::ignore:
      break;
    case OnUpdate::warn:
      return postgres::OnUpdate::warn;
    case OnUpdate::stop:
      return postgres::OnUpdate::stop;
  }
  return postgres::OnUpdate::ignore;
}

postgres::CaptureCondition::Kind kind_of(CaptureCondition::Kind config) {
  switch (config) {
    case CaptureCondition::Kind::is:
      break;
    case CaptureCondition::Kind::changed:
      return postgres::CaptureCondition::Kind::changed;
    case CaptureCondition::Kind::changed_to:
      return postgres::CaptureCondition::Kind::changed_to;
  }
  return postgres::CaptureCondition::Kind::is;
}

postgres::CaptureRule capture_of(const CaptureConfig& config) {
  postgres::CaptureRule rule{postgres::TableName{config.table_schema, config.table_name},
                             config.aggregate_type,
                             config.key,
                             config.columns,
                             config.before,
                             config.insert,
                             config.update,
                             config.erase,
                             {}};
  for (const CaptureCondition& condition : config.when) {
    rule.when.push_back({condition.column, kind_of(condition.kind), condition.value});
  }
  return rule;
}

postgres::ReplayPolicy replay_policy_of(const ReplayConfig& config) {
  postgres::ReplayPolicy policy{config.second_approver, config.replays_max, std::nullopt};
  if (config.automatic_after == std::chrono::seconds::zero()) return policy;
  policy.automatic = {config.automatic_first_per_s, config.automatic_most_per_s,
                      config.automatic_failures_max, config.automatic_replays_max};
  return policy;
}

}  // namespace

postgres::PostgresOptions postgres_options(const SourceConfig& source,
                                           const PipelineConfig& pipeline) {
  postgres::PostgresOptions options;
  options.url = source.url.reveal();
  options.pipeline = pipeline.name;
  options.mode = mode_of(source.mode);
  options.shards = source.shards;
  options.slot = source.slot;
  options.publication = source.publication;
  options.table = postgres::TableName{source.table_schema, source.table_name};
  options.columns = columns_of(source.columns);
  options.columns.extras = extra_columns(pipeline);
  options.on_update = on_update_of(source.on_update);
  for (const CaptureConfig& capture : source.captures) {
    options.captures.push_back(capture_of(capture));
  }
  options.heartbeat_interval = source.heartbeat;
  options.poll_interval_most = source.poll_interval;
  options.retention = source.retention;
  options.jitter_seed = std::hash<std::string>()(pipeline.name);
  return options;
}

// Without topics the table is the only place for dead letters.
postgres::LetterOptions letter_options(const PipelineConfig& pipeline, const SinkConfig& sink) {
  postgres::LetterOptions options;
  if (sink.type == SinkType::postgres) options.table = postgres::LetterTable::required;
  options.held_retries_per_s = pipeline.held_retries_per_s;
  for (size_t route = 0; route < pipeline.routes.size(); ++route) {
    const HoldConfig& hold = pipeline.holds[route];
    options.routes.push_back({pipeline.routes[route].name,
                              {hold.first, hold.most, hold.attempts_max, hold.give_up},
                              replay_policy_of(pipeline.replays[route])});
  }
  for (const flow::Route& route : pipeline.routes) {
    if (route.on_failure == flow::OnFailure::hold || route.on_failure == flow::OnFailure::park) {
      options.table = postgres::LetterTable::required;
    }
  }
  return options;
}

postgres::ProjectionOptions projection_options(const SinkConfig& sink,
                                               const PipelineConfig& pipeline) {
  postgres::ProjectionOptions options;
  options.url = sink.url.reveal();
  options.pipeline = pipeline.name;
  options.kind = sink.projection == ProjectionKind::table ? postgres::ProjectionKind::table
                                                          : postgres::ProjectionKind::function;
  options.target = postgres::TableName{sink.target_schema, sink.target_name};
  options.jitter_seed = std::hash<std::string>()(pipeline.name);
  return options;
}

kafka::ClientOptions kafka_options(const SinkConfig& sink, Log* log) {
  kafka::ClientOptions options;
  options.bootstrap_servers = sink.bootstrap_servers;
  for (const auto& [name, value] : sink.properties) options.properties[name] = value.reveal();
  if (log == nullptr) return options;
  options.log = [log, name = sink.name](int level, const std::string& line) {
    constexpr int kWarning = 4;  // of syslog, as the client library counts
    if (level > kWarning) return;
    log->warn("kafka client", {{"sink", name}, {"text", line}});
  };
  return options;
}

}  // namespace outbox::app
