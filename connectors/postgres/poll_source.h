#pragma once
// PollSource: outbox inserts out of the table itself, without replication rights and without an
// update of any row (`mode = "poll"`). One stream; positions are (seq, 0).
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's;
// connecting runs in a worker thread inside. The chunk pool outlives the source.
//
// How it polls, and how often: detail/poll_reader.h; why no late commit is skipped:
// detail/horizon.h.
//
// After a loss of the connection nobody is known as a holder, and the horizon begins at the cursor:
// all up to there was durable before it was handed out. A sequence that stands below it moved back:
// fatal, since its next rows would never be seen.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/postgres/detail/poll_reader.h"
#include "connectors/postgres/detail/poll_session.h"
#include "connectors/postgres/detail/session_attempts.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/source_facts.h"
#include "relay/core/lease.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class PollSource final : public core::Source {
 public:
  PollSource(PostgresOptions options, core::ChunkPool& pool, std::shared_ptr<SharedSlot> shared);
  ~PollSource() override;

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  core::Lease lease() const;
  const PollFacts& facts() const { return reader_.facts(); }
  uint64_t reconnects() const { return attempts_.reconnects(); }
  std::vector<Finding> take_notices();

  /// Gives the pipeline's lock back. Nothing comes out afterwards.
  void close(core::Now now);

 private:
  enum class State : uint8_t { connecting, polling, closed };

  core::Result<void> connect(core::Now now);
  core::Result<void> begin_polling(PollSession session, core::Now now);
  core::Result<void> read(core::Batch& batch, core::Credit credit, core::Now now);
  void lose_connection(const std::string& why, core::Now now);

  std::shared_ptr<SharedSlot> shared_;
  PollReader reader_;
  State state_ = State::connecting;
  core::Instant connected_at_{};
  SessionAttempts<PollSession> attempts_;
};

}  // namespace outbox::postgres
