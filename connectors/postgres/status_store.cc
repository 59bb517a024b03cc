#include "connectors/postgres/status_store.h"

#include "relay/core/assert.h"

namespace outbox::postgres {

// The epoch fences nothing here: the locks of the session do.
void StatusStore::save(const core::Progress& progress, uint64_t) {
  OUTBOX_ASSERT(idle());
  shared_->asked = progress;
}

void StatusStore::refused(core::StreamId, core::Position position, const core::Cause& cause) {
  shared_->refused.emplace_back(position.major, cause);
}

core::Result<std::optional<core::Progress>> StatusStore::poll(core::Now) {
  if (!std::exchange(shared_->done, false)) return std::optional<core::Progress>();
  const core::Progress saved = *shared_->asked;
  shared_->asked.reset();
  return std::optional(saved);
}

core::Interest StatusStore::interest(core::Instant now) const {
  core::Interest interest;
  if (shared_->done) interest.wake_at = now;
  return interest;
}

}  // namespace outbox::postgres
