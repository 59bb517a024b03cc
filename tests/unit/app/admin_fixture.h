#pragma once
// A view of two pipelines, for the tests of the admin server's pages.

#include <string>

#include "relay/app/admin/view.h"

namespace outbox::app {

inline core::Instant moment(int seconds) { return core::Instant{} + std::chrono::seconds(seconds); }

inline PipelineView healthy_pipeline() {
  PipelineView view;
  PipelineSnapshot& orders = view.snapshot;
  orders.name = "orders";
  orders.state = core::HealthState::ok;
  orders.lag = Lag{0.25, 1200, 4096};
  orders.slot = SlotSnapshot{16'777'216, std::nullopt};
  RouteSnapshot route;
  route.name = "order.events";
  route.delivered = 41;
  route.dead_lettered = 2;
  route.skipped = 1;
  route.commit_to_acknowledged.record(400);         // 0.4 ms
  route.commit_to_acknowledged.record(90'000'000);  // 90 s
  orders.routes = {route};
  orders.taken = 44;
  orders.taken_bytes = 9000;
  orders.epoch = 3;
  orders.confirmed = "0/15D6AA0/0";
  orders.window_events = 7;
  orders.window_events_max = 8192;
  orders.ticked_at = moment(99);
  view.trend = TrendReading{500, 100'000, 2.4, false};
  return view;
}

inline PipelineView waiting_pipeline() {
  PipelineView view;
  view.snapshot.name = "bills";
  view.snapshot.state = core::HealthState::waiting;
  view.snapshot.reason = "slot outbox_bills is active for PID 4711 <b>";
  view.snapshot.newest_refusal =
      RefusalSnapshot{{"MSG_SIZE_TOO_LARGE", "2 MB \xff> 1 MB"}, "0/15D6AA0/1"};
  view.snapshot.ticked_at = moment(99);
  view.trend.growing = true;
  return view;
}

inline AdminView view_of(std::vector<PipelineView> pipelines) {
  AdminView view;
  view.version = "0.1.0";
  view.process = ProcessFacts{4711, 100, 20'000'000, 1.5, 30};
  view.pipelines = std::move(pipelines);
  view.now = moment(100);
  return view;
}

}  // namespace outbox::app
