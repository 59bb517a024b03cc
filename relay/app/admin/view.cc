#include "relay/app/admin/view.h"

#include <algorithm>

namespace outbox::app {

double tick_age_seconds(const AdminView& view, const PipelineSnapshot& pipeline) {
  const double age = std::chrono::duration<double>(view.now - pipeline.ticked_at).count();
  return std::max(age, 0.0);
}

bool loop_is_dead(const AdminView& view, const PipelineSnapshot& pipeline) {
  return view.now - pipeline.ticked_at > kLoopDeadAfter;
}

std::vector<std::string> dead_loops(const AdminView& view) {
  std::vector<std::string> dead;
  for (const PipelineView& pipeline : view.pipelines) {
    if (loop_is_dead(view, pipeline.snapshot)) dead.push_back(pipeline.snapshot.name);
  }
  return dead;
}

}  // namespace outbox::app
