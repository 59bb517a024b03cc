#pragma once
// InterimPoll: delivers by polling while Postgres makes a new slot for one that was lost, which
// waits for every open write transaction of the cluster, whoever's.
//
// What was polled is final: every committed row up to cursor() was handed out, and no other can
// come (horizon.h). So it may end at any moment, the refill goes on above cursor(), and what the
// new slot's stream brings at or below it is dropped (WalReader::skip_polled). A crash goes on
// above the number that was saved last.
//
// Owner: WalSource. Thread: the pipeline's. The chunk pool outlives it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "connectors/postgres/detail/poll_reader.h"
#include "connectors/postgres/detail/polled_position.h"
#include "connectors/postgres/detail/slot_wait.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class InterimPoll {
 public:
  InterimPoll(const PostgresOptions& options, core::ChunkPool& pool,
              std::shared_ptr<SharedSlot> shared)
      : reader_(options, pool, std::move(shared)) {}

  /// For the job that makes the slot.
  const std::shared_ptr<SlotWait>& slot_wait() const { return slot_wait_; }

  /// What the job has offered, once.
  std::optional<InterimStart> take_offer() { return slot_wait_->take(); }

  /// Positions lie above `handed`, the last one before. An Error is fatal.
  core::Result<void> begin(InterimStart start, core::Position handed, core::Now now);

  /// As PollReader's. A connection that was lost is asked for again.
  core::Result<void> poll(core::Batch& batch, core::Credit credit, core::Now now);

  /// The job has ended, with a slot or without. True if something had begun.
  bool end();

  bool polling() const { return reader_.polling(); }

  /// Every committed row up to here was handed out; zero before the first.
  uint64_t cursor() const { return reader_.cursor(); }

  /// The commits of the rows that were handed out lie before this; zero without any.
  core::Lsn covered() const { return rows_ > 0 ? reader_.covered() : core::Lsn{}; }

  /// The last position that was handed out.
  core::Position handed() const { return handed_; }

  /// The position of a number, as a boundary has it that says so.
  core::Position position(uint64_t seq) const { return polled_position(since_, seq); }

  const PollFacts& facts() const { return reader_.facts(); }

  /// What goes on, for people: `waiting` says for whom the slot waits.
  std::string reason(const std::string& waiting) const;

  core::Interest interest(core::Instant now) const { return reader_.interest(now); }

 private:
  std::shared_ptr<SlotWait> slot_wait_ = std::make_shared<SlotWait>();
  PollReader reader_;
  bool begun_ = false;
  core::Lsn since_;
  core::Position handed_;
  uint64_t rows_ = 0;
};

}  // namespace outbox::postgres
