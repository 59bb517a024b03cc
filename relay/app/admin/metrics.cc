#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

#include "relay/app/admin/view.h"

namespace outbox::app {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// Collects samples into families, so that each name comes out once with its help.
class Families {
 public:
  void counter(const std::string& name, const std::string& help, Labels labels, uint64_t value) {
    counter(name, help, std::move(labels), static_cast<double>(value));
  }
  void counter(const std::string& name, const std::string& help, Labels labels, double value) {
    ClientMetric& metric = add(name, help, MetricType::Counter, std::move(labels));
    metric.counter.value = value;
  }
  void gauge(const std::string& name, const std::string& help, Labels labels, double value) {
    ClientMetric& metric = add(name, help, MetricType::Gauge, std::move(labels));
    metric.gauge.value = value;
  }
  /// What is not known is left out: a made-up zero would read as "no lag".
  template <typename T>
  void gauge_if_known(const std::string& name, const std::string& help, Labels labels,
                      const std::optional<T>& value) {
    if (value) gauge(name, help, std::move(labels), static_cast<double>(*value));
  }
  void histogram(const std::string& name, const std::string& help, Labels labels,
                 const flow::LatencyHistogram& latencies) {
    ClientMetric::Histogram out;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < flow::LatencyHistogram::kBoundsUs.size(); ++i) {
      cumulative += latencies.bucket(i);
      out.bucket.push_back(
          {cumulative, static_cast<double>(flow::LatencyHistogram::kBoundsUs[i]) / 1e6});
    }
    out.sample_count = latencies.count();
    out.sample_sum = latencies.sum_seconds();
    add(name, help, MetricType::Histogram, std::move(labels)).histogram = std::move(out);
  }

  const std::vector<MetricFamily>& all() const { return families_; }

 private:
  ClientMetric& add(const std::string& name, const std::string& help, MetricType type,
                    Labels labels) {
    MetricFamily* family = nullptr;
    for (MetricFamily& known : families_) {
      if (known.name == name) family = &known;
    }
    if (family == nullptr) family = &families_.emplace_back(MetricFamily{name, help, type, {}});
    ClientMetric& metric = family->metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  std::vector<MetricFamily> families_;
};

void add_process(Families& out, const AdminView& view) {
  out.gauge("outbox_build_info", "Always 1; the label tells the release.",
            {{"version", view.version}}, 1);
  out.gauge("outbox_process_uptime_seconds", "Since the relay was started.", {},
            view.process.uptime_seconds);
  out.gauge("outbox_process_resident_bytes", "Memory of the process that is in RAM.", {},
            static_cast<double>(view.process.resident_bytes));
  out.counter("outbox_process_cpu_seconds_total", "User and system time of the process.", {},
              view.process.cpu_seconds);
  out.gauge("outbox_process_open_files", "File descriptors of the process.", {},
            static_cast<double>(view.process.open_files));
  out.counter("outbox_log_lines_dropped_total", "Log lines dropped because stderr was blocked.", {},
              view.log_lines_dropped);
}

void add_state(Families& out, const AdminView& view, const PipelineView& pipeline) {
  const PipelineSnapshot& now = pipeline.snapshot;
  const Labels labels = {{"pipeline", now.name}};
  using core::HealthState;
  for (const HealthState state :
       {HealthState::starting, HealthState::ok, HealthState::waiting, HealthState::stopped}) {
    out.gauge("outbox_pipeline_state", "1 for the state the pipeline is in, 0 for the others.",
              {{"pipeline", now.name}, {"state", to_string(state)}}, now.state == state ? 1 : 0);
  }
  out.gauge("outbox_pipeline_tick_age_seconds", "Since the pipeline's loop last went round.",
            labels, tick_age_seconds(view, now));
  out.gauge_if_known("outbox_lag_seconds",
                     "Age of the oldest committed event that is not settled; 0 when idle.", labels,
                     now.lag.seconds);
  out.gauge_if_known("outbox_lag_events", "Committed events that are not settled.", labels,
                     now.lag.events);
  out.gauge_if_known("outbox_lag_wal_bytes", "WAL between the server's end and what is confirmed.",
                     labels, now.lag.wal_bytes);
  out.gauge_if_known("outbox_drain_seconds",
                     "Time until the lag is gone at the present pace; absent while it grows.",
                     labels, pipeline.trend.drain_seconds);
  out.gauge_if_known("outbox_slot_retained_wal_bytes", "WAL that the slot keeps on the server.",
                     labels, now.slot.retained_bytes);
  out.gauge_if_known("outbox_slot_safe_wal_bytes",
                     "WAL that may be written before the slot is lost; absent without a limit.",
                     labels, now.slot.safe_wal_size_bytes);
  out.gauge_if_known("outbox_slot_lost_seconds",
                     "Time until the slot is lost at the present pace; absent while it keeps up.",
                     labels, pipeline.trend.slot_lost_seconds);
  out.gauge_if_known("outbox_source_held_back_seconds",
                     "How long an open transaction has kept events back; mode poll only.", labels,
                     now.held_back_seconds);
  out.gauge_if_known("outbox_source_shards",
                     "Shards of keys that this relay reads; polling by status only.", labels,
                     now.shards);
  out.gauge("outbox_blocked_keys", "Keys that have held or parked events.", labels,
            static_cast<double>(now.blocked_keys));
  out.gauge("outbox_replays_proposed", "Replays of dead letters that wait for a second person.",
            labels, static_cast<double>(now.replays_proposed));
  out.gauge("outbox_pipeline_braked",
            "1 once too many events were refused: nothing moves until SIGHUP or a restart.", labels,
            now.braked ? 1 : 0);
  out.gauge("outbox_source_epoch", "Rises with each start of the pipeline.", labels,
            static_cast<double>(now.epoch));
}

void add_retention(Families& out, const PipelineSnapshot& now) {
  if (!now.retention) return;
  const Labels labels = {{"pipeline", now.name}};
  out.gauge_if_known("outbox_retention_kept_events",
                     "Numbers from the oldest row that is kept on; not in a table with status.",
                     labels, now.retention->kept);
  out.gauge("outbox_retention_held_seconds",
            "How long something has stayed although it is old enough; 0 when nothing does.", labels,
            now.retention->held_seconds);
  out.counter("outbox_retention_partitions_total", "Partitions emptied by retention.", labels,
              now.retention->partitions);
  out.counter("outbox_retention_rows_total", "Rows deleted by retention, one by one.", labels,
              now.retention->rows);
}

void add_window(Families& out, const PipelineSnapshot& now) {
  const Labels labels = {{"pipeline", now.name}};
  out.gauge("outbox_window_events", "Events taken in and not settled.", labels,
            static_cast<double>(now.window_events));
  out.gauge("outbox_window_events_max", "The bound of outbox_window_events.", labels,
            static_cast<double>(now.window_events_max));
  out.gauge("outbox_window_bytes", "Bytes of events taken in and not settled.", labels,
            static_cast<double>(now.window_bytes));
  out.gauge("outbox_window_bytes_max", "The bound of outbox_window_bytes.", labels,
            static_cast<double>(now.window_bytes_max));
}

void add_totals(Families& out, const PipelineSnapshot& now) {
  const Labels labels = {{"pipeline", now.name}};
  out.counter("outbox_events_taken_total", "Events from the source.", labels, now.taken);
  out.counter("outbox_bytes_taken_total", "Bytes of events from the source.", labels,
              now.taken_bytes);
  out.counter("outbox_deliveries_returned_total", "Deliveries that came back without effect.",
              labels, now.returned);
  out.counter("outbox_deliveries_retried_total", "Failed deliveries that were tried again.", labels,
              now.retried);
  out.counter("outbox_progress_saves_total", "Times that progress was made durable.", labels,
              now.saves);
  out.counter("outbox_source_reconnects_total", "Connections to the source that were lost.", labels,
              now.reconnects);
  out.counter("outbox_producer_rebuilds_total", "Kafka producers replaced after a refusal.", labels,
              now.producer_rebuilds);
}

void add_routes(Families& out, const PipelineSnapshot& now) {
  for (const RouteSnapshot& route : now.routes) {
    const Labels labels = {{"pipeline", now.name}, {"route", route.name}};
    out.counter("outbox_events_delivered_total", "Events that the sink owns durably.", labels,
                route.delivered);
    out.counter("outbox_events_dead_lettered_total", "Events that the dead letters own.", labels,
                route.dead_lettered);
    out.counter("outbox_events_held_total",
                "Events held, to be tried again by themselves, with those behind them.", labels,
                route.held);
    out.counter("outbox_events_parked_total",
                "Events parked until an operator acts, with those behind them.", labels,
                route.parked);
    out.counter("outbox_events_replayed_total", "Letters that were delivered again.", labels,
                route.replayed);
    out.counter("outbox_replays_refused_total", "Letters that were refused again.", labels,
                route.refused_again);
    out.counter("outbox_events_skipped_total", "Events left out because the route says so.", labels,
                route.skipped);
    out.histogram("outbox_commit_to_acknowledged_seconds",
                  "From the event's commit in the source to the sink's acknowledgement.", labels,
                  route.commit_to_acknowledged);
  }
}

}  // namespace

std::string metrics_text(const AdminView& view) {
  Families out;
  add_process(out, view);
  for (const PipelineView& pipeline : view.pipelines) add_state(out, view, pipeline);
  for (const PipelineView& pipeline : view.pipelines) add_retention(out, pipeline.snapshot);
  for (const PipelineView& pipeline : view.pipelines) add_window(out, pipeline.snapshot);
  for (const PipelineView& pipeline : view.pipelines) add_totals(out, pipeline.snapshot);
  for (const PipelineView& pipeline : view.pipelines) add_routes(out, pipeline.snapshot);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, out.all());
  return text.str();
}

}  // namespace outbox::app
