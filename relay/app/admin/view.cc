#include "relay/app/admin/view.h"

#include <algorithm>

namespace outbox::app {

double tick_age_seconds(const AdminView& view, const PipelineSnapshot& pipeline) {
  const double age = std::chrono::duration<double>(view.now - pipeline.ticked_at).count();
  return std::max(age, 0.0);
}

std::vector<std::string> dead_loops(const AdminView& view) {
  std::vector<std::string> dead;
  for (const PipelineView& pipeline : view.pipelines) {
    if (view.now - pipeline.snapshot.ticked_at > kLoopDeadAfter) {
      dead.push_back(pipeline.snapshot.name);
    }
  }
  return dead;
}

}  // namespace outbox::app
