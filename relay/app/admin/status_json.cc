#include <nlohmann/json.hpp>

#include "relay/app/admin/http_message.h"
#include "relay/app/admin/view.h"

namespace outbox::app {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}

// Causes and reasons quote what came from outside, which need not be UTF-8.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json refusal_json(const std::optional<RefusalSnapshot>& refusal) {
  if (!refusal) return nullptr;
  return {{"code", refusal->cause.code},
          {"detail", refusal->cause.detail},
          {"position", refusal->position}};
}

Json routes_json(const std::vector<RouteSnapshot>& routes) {
  Json all = Json::array();
  for (const RouteSnapshot& route : routes) {
    all.push_back({{"name", route.name},
                   {"delivered", route.delivered},
                   {"dead_lettered", route.dead_lettered},
                   {"held", route.held},
                   {"parked", route.parked},
                   {"skipped", route.skipped},
                   {"replayed", route.replayed},
                   {"refused_again", route.refused_again}});
  }
  return all;
}

Json retention_json(const std::optional<RetentionSnapshot>& retention) {
  if (!retention) return nullptr;
  return {{"kept", or_null(retention->kept)},
          {"partitions", retention->partitions},
          {"rows", retention->rows},
          {"held_seconds", retention->held_seconds},
          {"held_by", retention->held_by}};
}

Json pipeline_json(const AdminView& view, const PipelineView& pipeline) {
  const PipelineSnapshot& now = pipeline.snapshot;
  return {{"name", now.name},
          {"state", to_string(now.state)},
          {"reason", shown_reason(pipeline)},
          {"lag",
           {{"seconds", or_null(now.lag.seconds)},
            {"events", or_null(now.lag.events)},
            {"wal_bytes", or_null(now.lag.wal_bytes)}}},
          {"slot",
           {{"retained_bytes", or_null(now.slot.retained_bytes)},
            {"safe_wal_size_bytes", or_null(now.slot.safe_wal_size_bytes)},
            {"lost_seconds", or_null(pipeline.trend.slot_lost_seconds)}}},
          {"held_back_seconds", or_null(now.held_back_seconds)},
          {"shards", or_null(now.shards)},
          {"blocked_keys", now.blocked_keys},
          {"braked", now.braked},
          {"replays_proposed", now.replays_proposed},
          {"retention", retention_json(now.retention)},
          {"trend",
           {{"events_per_second", pipeline.trend.events_per_second},
            {"bytes_per_second", pipeline.trend.bytes_per_second},
            {"drain_seconds", or_null(pipeline.trend.drain_seconds)},
            {"growing", pipeline.trend.growing}}},
          {"totals",
           {{"taken", now.taken},
            {"taken_bytes", now.taken_bytes},
            {"delivered", now.delivered()},
            {"dead_lettered", now.dead_lettered()},
            {"held", now.held()},
            {"parked", now.parked()},
            {"skipped", now.skipped()},
            {"replayed", now.replayed()},
            {"returned", now.returned},
            {"retried", now.retried},
            {"reconnects", now.reconnects},
            {"producer_rebuilds", now.producer_rebuilds}}},
          {"window",
           {{"events", now.window_events},
            {"events_max", now.window_events_max},
            {"bytes", now.window_bytes},
            {"bytes_max", now.window_bytes_max}}},
          {"epoch", now.epoch},
          {"confirmed", now.confirmed},
          {"newest_refusal", refusal_json(now.newest_refusal)},
          {"last_tick_seconds_ago", tick_age_seconds(view, now)},
          {"routes", routes_json(now.routes)}};
}

}  // namespace

std::string status_json(const AdminView& view) {
  Json pipelines = Json::array();
  for (const PipelineView& pipeline : view.pipelines) {
    pipelines.push_back(pipeline_json(view, pipeline));
  }
  return dumped({{"version", view.version},
                 {"pid", view.process.pid},
                 {"uptime_seconds", view.process.uptime_seconds},
                 {"resident_bytes", view.process.resident_bytes},
                 {"cpu_seconds", view.process.cpu_seconds},
                 {"pipelines", pipelines}});
}

HttpResponse problem(unsigned status, const std::string& title, const std::string& detail,
                     const std::string& hint) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = dumped({{"type", "about:blank"},
                          {"title", title},
                          {"status", status},
                          {"detail", detail},
                          {"hint", hint}});
  return response;
}

}  // namespace outbox::app
