#pragma once
// AdminView: everything that the admin server's pages are made of, at one moment. The pages are
// pure functions of it.

#include <chrono>
#include <string>
#include <vector>

#include "relay/app/admin/process_facts.h"
#include "relay/app/snapshot.h"
#include "relay/core/clock.h"

namespace outbox::app {

/// A loop that did not go round for so long is dead: a step never waits, so not even a stalled sink
/// or a lost database makes it this old.
inline constexpr core::Duration kLoopDeadAfter = std::chrono::seconds(10);

struct AdminView {
  std::string version;
  ProcessFacts process;
  uint64_t log_lines_dropped = 0;
  std::vector<PipelineView> pipelines;
  core::Instant now;
};

/// Seconds since the pipeline's loop last went round.
double tick_age_seconds(const AdminView& view, const PipelineSnapshot& pipeline);

bool loop_is_dead(const AdminView& view, const PipelineSnapshot& pipeline);

/// Names of the pipelines whose loop is dead.
std::vector<std::string> dead_loops(const AdminView& view);

/// What /status answers: one JSON document.
std::string status_json(const AdminView& view);

/// What /metrics answers: Prometheus's text format.
std::string metrics_text(const AdminView& view);

/// The operators' page. Works without JavaScript and loads nothing but its style sheet.
std::string page_html(const AdminView& view);
std::string page_css();

}  // namespace outbox::app
