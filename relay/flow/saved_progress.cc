#include "relay/flow/saved_progress.h"

#include <utility>

#include "relay/core/assert.h"

namespace outbox::flow {

core::Progress SavedProgress::current(const Window& window) const {
  core::Progress progress = progress_;
  if (window.passed_boundary()) progress.boundary = *window.passed_boundary();
  if (window.settled_position()) progress.settled = *window.settled_position();
  return progress;
}

core::Instant SavedProgress::due(const Window& window, const SaveCadence& cadence,
                                 Urgency urgency) const {
  const core::Progress progress = current(window);
  if (progress == progress_) return core::kNever;
  if (!saved_at_ || (urgency == Urgency::shutdown && window.empty())) return core::Instant::min();
  // The end of a transaction whose last event is saved already counts as its event does.
  const bool events_settled =
      progress.settled != progress_.settled || progress_.settled > progress_.boundary;
  return *saved_at_ + (events_settled ? cadence.events : cadence.boundaries);
}

void SavedProgress::save_started(const core::Progress& progress, core::Instant now) {
  OUTBOX_ASSERT(!confirm_due_);
  progress_ = progress;
  saved_at_ = now;
}

std::optional<core::Settled> SavedProgress::take_confirm() {
  if (!std::exchange(confirm_due_, false)) return std::nullopt;
  // Inside a first transaction there is no boundary yet, and nothing to forget.
  if (progress_.boundary == core::Position{}) return std::nullopt;
  return core::Settled{progress_.stream, progress_.boundary};
}

}  // namespace outbox::flow
