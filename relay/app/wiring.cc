#include "relay/app/wiring.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "connectors/kafka/kafka.h"
#include "connectors/postgres/postgres_source.h"
#include "connectors/postgres/projection_check.h"
#include "connectors/postgres/projection_sink.h"
#include "connectors/postgres/retention.h"
#include "relay/app/dead_letter_journal.h"
#include "relay/app/pipeline_parts.h"
#include "relay/app/supervisor.h"
#include "relay/app/wiring_formats.h"
#include "relay/app/wiring_letters.h"
#include "relay/app/wiring_options.h"
#include "relay/app/wiring_repair.h"
#include "relay/app/wiring_verify.h"

namespace outbox::app {
namespace {

constexpr auto kAskTimeout = std::chrono::seconds(5);

// ---- Postgres

// A look of a poll stands for a heartbeat: it came by once its newest row is settled.
void add_look(SourceGauges& gauges, const postgres::PollFacts& facts, core::Position newest) {
  if (facts.read_at == core::Instant{}) return;
  gauges.heartbeat = Heartbeat{newest, facts.read_at, facts.last_seq};
  gauges.held_back_seconds =
      std::chrono::duration<double>(facts.read_at - facts.held_back_since).count();
}

SourceGauges gauges_of(const postgres::WalSource& source, const postgres::ProgressStore& progress) {
  SourceGauges gauges;
  gauges.reconnects = source.reconnects();
  if (const auto interim = source.interim()) {
    add_look(gauges, interim->facts, interim->newest);
    return gauges;
  }
  const postgres::SourceFacts& facts = progress.facts();
  if (!facts.heartbeat.valid()) return gauges;
  gauges.heartbeat =
      Heartbeat{core::Position{facts.heartbeat.value, 0}, facts.read_at, facts.last_seq};
  gauges.lag_wal_bytes = facts.lag_wal_bytes(source.confirmed());
  gauges.slot_retained_wal_bytes = facts.kept_wal_bytes();
  gauges.safe_wal_size_bytes = facts.safe_wal_bytes;
  return gauges;
}

SourceGauges gauges_of(const postgres::PollSource& source) {
  SourceGauges gauges;
  gauges.reconnects = source.reconnects();
  add_look(gauges, source.facts(), core::Position{source.facts().last_seq, 0});
  return gauges;
}

// A count stands for a heartbeat: it came by once every row that it saw is settled.
SourceGauges gauges_of(const postgres::StatusSource& source) {
  SourceGauges gauges;
  gauges.reconnects = source.reconnects();
  gauges.shards = source.shards_held();
  const postgres::StatusFacts& facts = source.facts();
  if (facts.read_at == core::Instant{}) return gauges;
  gauges.heartbeat = Heartbeat{core::Position{facts.newest, 0}, facts.read_at, facts.newest};
  return gauges;
}

std::vector<Notice> notices_of(const std::vector<postgres::Finding>& findings) {
  std::vector<Notice> notices;
  for (const postgres::Finding& finding : findings) {
    const bool plain = finding.severity == postgres::Severity::note;
    std::string text = finding.code + ": " + finding.what;
    if (!finding.remedy.empty()) text += ". " + finding.remedy;
    notices.push_back(Notice{plain ? LogLevel::info : LogLevel::warn, std::move(text)});
  }
  return notices;
}

template <typename PostgresSource>
void add_source(PipelineParts& parts, std::unique_ptr<PostgresSource> made) {
  PostgresSource& source = *made;
  parts.lease = [&source](core::Instant) { return source.lease(); };
  parts.take_notices = [&source] { return notices_of(source.take_notices()); };
  parts.close = [&source](core::Now now) { source.close(now); };
  parts.source = std::move(made);
}

RetentionSnapshot snapshot_of(const postgres::RetentionFacts& facts) {
  RetentionSnapshot snapshot;
  snapshot.kept = facts.kept;
  snapshot.partitions = facts.partitions;
  snapshot.rows = facts.rows;
  snapshot.held_seconds = std::chrono::duration<double>(facts.held_for).count();
  if (facts.held_for >= postgres::kRetentionHeldNotice) snapshot.held_by = facts.held_by;
  return snapshot;
}

// Beside the source: it has a thread and connections of its own.
void add_retention(PipelineParts& parts, const SourceConfig& config,
                   const PipelineConfig& pipeline) {
  if (config.retention == std::chrono::seconds::zero()) return;
  const auto retention = std::make_shared<postgres::Retention>(postgres_options(config, pipeline));
  parts.gauges = [gauges = std::move(parts.gauges), retention] {
    SourceGauges all = gauges();
    all.retention = snapshot_of(retention->facts());
    return all;
  };
  parts.take_notices = [take = std::move(parts.take_notices), retention] {
    std::vector<Notice> all = take();
    for (Notice& notice : notices_of(retention->take_notices())) all.push_back(std::move(notice));
    return all;
  };
}

void add_postgres(PipelineParts& parts, const SourceConfig& config, const SinkConfig& sink,
                  const PipelineConfig& pipeline) {
  parts.pool = std::make_shared<core::ChunkPool>();
  auto postgres = postgres::make_postgres_source(postgres_options(config, pipeline),
                                                 letter_options(pipeline, sink), *parts.pool);
  if (postgres.status != nullptr) {
    parts.gauges = [&source = *postgres.status] { return gauges_of(source); };
    add_source(parts, std::move(postgres.status));
    parts.checkpoint = std::move(postgres.marks);
    return;
  }
  if (postgres.wal != nullptr) {
    parts.gauges = [&source = *postgres.wal, &progress = *postgres.progress] {
      return gauges_of(source, progress);
    };
    add_source(parts, std::move(postgres.wal));
  } else {
    parts.gauges = [&source = *postgres.poll] { return gauges_of(source); };
    add_source(parts, std::move(postgres.poll));
  }
  parts.checkpoint = std::move(postgres.progress);
  parts.behind_journal.push_back(std::move(postgres.letters));
  parts.replay_route = [&replay = *postgres.replay](uint32_t route) { replay.replay_route(route); };
  parts.gauges = [gauges = std::move(parts.gauges), &replay = *postgres.replay] {
    SourceGauges all = gauges();
    all.replays_proposed = replay.proposed();
    return all;
  };
  parts.replay = std::move(postgres.replay);
}

// ---- Kafka

// Topics that are known before the first event.
std::vector<std::string> fixed_topics(const PipelineConfig& pipeline) {
  std::vector<std::string> topics;
  for (const flow::Route& route : pipeline.routes) {
    if (route.topic_rule) continue;
    if (route.topic.find("${") == std::string::npos) topics.push_back(route.topic);
  }
  return topics;
}

// Polled by status, the rows themselves are the table.
void add_journal(PipelineParts& parts, std::unique_ptr<core::Sink> topics) {
  if (parts.behind_journal.empty()) {
    parts.journal = std::move(topics);
    return;
  }
  parts.journal = std::make_unique<DeadLetterJournal>(*parts.behind_journal.front(), *topics);
  parts.behind_journal.push_back(std::move(topics));
}

// A setting that the client library refuses although check let it pass (a certificate that was
// replaced by a broken one since) is not this pipeline's end alone: it is told like any start
// error.
void add_kafka(PipelineParts& parts, const SinkConfig& config, const PipelineConfig& pipeline,
               Log& log) {
  const kafka::ClientOptions options = kafka_options(config, &log);
  auto kafka = kafka::Kafka::make(options);
  if (!kafka) throw std::runtime_error(core::to_string(kafka.error()));
  auto sink = kafka->sink(route_formats(pipeline));
  parts.producer_rebuilds = [&made = *sink] { return made.rebuilds(); };
  parts.sink = std::move(sink);
  add_journal(parts, kafka->journal(parts.name));
  parts.prepare = [options, name = parts.name, topics = fixed_topics(pipeline)] {
    return kafka::prepare_dead_letters(options, name, topics, kAskTimeout);
  };
}

std::vector<PropertyFault> check_properties(const std::map<std::string, std::string>& properties) {
  std::vector<PropertyFault> faults;
  for (kafka::PropertyFault& fault : kafka::check_properties(properties)) {
    faults.push_back(
        PropertyFault{std::move(fault.name), std::move(fault.what), std::move(fault.remedy)});
  }
  return faults;
}

// ---- Another Postgres

// The letters are in the table alone: nobody listens to a topic here.
void add_projection(PipelineParts& parts, const SinkConfig& config,
                    const PipelineConfig& pipeline) {
  parts.sink = std::make_unique<postgres::ProjectionSink>(projection_options(config, pipeline));
  parts.journal = std::move(parts.behind_journal.front());
  parts.behind_journal.clear();
  parts.producer_rebuilds = [] { return uint64_t{0}; };
  parts.prepare = [] { return core::Result<void>(); };
}

// ---- doctor

FindingLevel level_of(postgres::Severity severity) {
  switch (severity) {
    case postgres::Severity::error:
      return FindingLevel::error;
    case postgres::Severity::warning:
      return FindingLevel::warn;
    case postgres::Severity::note:
      return FindingLevel::ok;
    case postgres::Severity::unreachable:
      return FindingLevel::unreachable;
  }
  return FindingLevel::error;
}

FindingLevel level_of(kafka::Observation::Level level) {
  switch (level) {
    case kafka::Observation::Level::ok:
      return FindingLevel::ok;
    case kafka::Observation::Level::warn:
      return FindingLevel::warn;
    case kafka::Observation::Level::error:
      return FindingLevel::error;
    case kafka::Observation::Level::unreachable:
      return FindingLevel::unreachable;
  }
  return FindingLevel::error;
}

std::vector<Finding> look_at_source(const SourceConfig& source, const PipelineConfig& pipeline) {
  std::vector<Finding> findings;
  for (const postgres::Finding& seen : postgres::inspect(postgres_options(source, pipeline))) {
    findings.push_back(Finding{level_of(seen.severity), seen.code + ": " + seen.what, seen.remedy});
  }
  if (std::all_of(findings.begin(), findings.end(),
                  [](const Finding& one) { return one.level == FindingLevel::ok; })) {
    findings.push_back(Finding{FindingLevel::ok,
                               source.mode != SourceMode::wal
                                   ? "nothing stands in the way of polling " + source.table_schema +
                                         "." + source.table_name
                                   : "nothing stands in the way of slot " + source.slot +
                                         " and publication " + source.publication,
                               ""});
  }
  return findings;
}

std::vector<Finding> look_at_projection(const SinkConfig& sink, const PipelineConfig& pipeline) {
  std::vector<Finding> findings;
  const auto options = projection_options(sink, pipeline);
  for (const postgres::Finding& seen : postgres::inspect_projection(options)) {
    findings.push_back(Finding{level_of(seen.severity), seen.code + ": " + seen.what, seen.remedy});
  }
  if (findings.empty()) {
    findings.push_back(
        Finding{FindingLevel::ok, "nothing stands in the way of writing to " + sink.target(), ""});
  }
  return findings;
}

std::vector<Finding> look_at_sink(const SinkConfig& sink, const PipelineConfig& pipeline) {
  if (sink.type == SinkType::postgres) return look_at_projection(sink, pipeline);
  std::vector<Finding> findings;
  for (const kafka::Observation& seen : kafka::look_at_cluster(
           kafka_options(sink, nullptr), pipeline.name, fixed_topics(pipeline), kAskTimeout)) {
    findings.push_back(Finding{level_of(seen.level), seen.what, seen.fix});
  }
  return findings;
}

std::vector<DoctorCheck> doctor_checks(const Config& config) {
  std::vector<DoctorCheck> checks;
  for (const PipelineConfig& pipeline : config.pipelines) {
    const SourceConfig& source = config.source_of(pipeline);
    const SinkConfig& sink = config.sink_of(pipeline);
    checks.push_back(DoctorCheck{"pipeline " + pipeline.name + ", source " + source.name,
                                 [source, pipeline] { return look_at_source(source, pipeline); }});
    checks.push_back(DoctorCheck{"pipeline " + pipeline.name + ", sink " + sink.name,
                                 [sink, pipeline] { return look_at_sink(sink, pipeline); }});
  }
  return checks;
}

// ---- run

PipelineParts wire_pipeline(const Config& config, const PipelineConfig& pipeline, Log& log) {
  PipelineParts parts;
  parts.name = pipeline.name;
  parts.options.window_cells = pipeline.window_events;
  parts.options.window_bytes = pipeline.window_bytes;
  parts.options.brake = pipeline.brake;
  parts.options.seed = std::hash<std::string>()(pipeline.name);
  parts.routes = pipeline.routes;
  const SinkConfig& sink = config.sink_of(pipeline);
  for (const ReplayConfig& replay : pipeline.replays) {
    parts.replay_after.emplace_back(replay.automatic_after);
  }
  add_postgres(parts, config.source_of(pipeline), sink, pipeline);
  add_retention(parts, config.source_of(pipeline), pipeline);
  if (sink.type == SinkType::postgres) {
    add_projection(parts, sink, pipeline);
  } else {
    add_kafka(parts, sink, pipeline, log);
  }
  return parts;
}

ExitCode run(const RunInputs& inputs) {
  Supervisor::block_signals();
  const WirePipeline wire_one = [&](const Config& config, const PipelineConfig& pipeline) {
    return wire_pipeline(config, pipeline, inputs.log);
  };
  Supervisor supervisor(inputs.config, wire_one, inputs.reload, inputs.board, inputs.log);
  return supervisor.run() ? ExitCode::ok : ExitCode::failed;
}

core::Result<VerifyOutcome> verify(const VerifyInputs& inputs) {
  const SourceConfig& source = inputs.config.source_of(inputs.pipeline);
  const SinkConfig& sink = inputs.config.sink_of(inputs.pipeline);
  if (sink.type != SinkType::kafka) {
    return core::Error{core::Fault::reject,
                       kNothingToCompare,
                       "compare",
                       "pipeline " + inputs.pipeline.name,
                       "its sink " + sink.name +
                           " is a Postgres database, and events are compared "
                           "with topics only",
                       ""};
  }
  return verify_pipeline(inputs, postgres_options(source, inputs.pipeline),
                         kafka_options(sink, nullptr));
}

}  // namespace

Wired wire() {
  return Wired{check_properties, doctor_checks, run, verify, file_lost_rows, letter_calls};
}

}  // namespace outbox::app
