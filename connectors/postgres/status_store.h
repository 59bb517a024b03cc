#pragma once
// StatusStore: a pipeline's progress in Mode::status is the status column itself. Saving marks the
// rows SENT, or FAIL with their cause, in one statement each, committed durably.
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's. It has no
// connection: the session that holds the shards' locks does the work (StatusSource), so a relay
// that lost its locks cannot mark. Of two faces of one conversation this is the one that the
// pipeline saves by.

#include <memory>
#include <optional>
#include <utility>

#include "connectors/postgres/detail/shared_marks.h"
#include "relay/core/checkpoint.h"

namespace outbox::postgres {

class StatusStore final : public core::Checkpoint {
 public:
  explicit StatusStore(std::shared_ptr<SharedMarks> shared) : shared_(std::move(shared)) {}

  bool idle() const override { return !shared_->asked; }
  void save(const core::Progress& progress, uint64_t epoch) override;
  void refused(core::StreamId stream, core::Position position, const core::Cause& cause) override;
  core::Result<std::optional<core::Progress>> poll(core::Now now) override;
  core::Interest interest(core::Instant now) const override;

  /// The source speaks for the connection.
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  std::shared_ptr<SharedMarks> shared_;
};

}  // namespace outbox::postgres
