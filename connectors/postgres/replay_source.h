#pragma once
// ReplaySource: the letters of outbox.dead_letter that are to be delivered again, as a pipeline's
// second source (core::ItemKind). What is due, and in which order, the database decides
// (outbox-schema/migrations/V004, V005): held keys whose time has come are job 0, the others are
// what operators asked for.
//
// First come the keys that have held or parked letters, all of them, then rounds. A round is one
// pass over one job, some seconds at most, so that held keys need not wait for a long job. Within
// it pages are read ahead while earlier letters are being delivered; a letter comes at most once.
//
// An event's seq is its letter's number; its last extras are the number of this replay and the
// position it had at first (core::PositionForm::told).
//
// Owner: the wiring, by make_postgres_source. Thread: the pipeline's. The chunk pool outlives it.
// Errors: the schema is too old, and some route needs letters; or a letter cannot be read.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/letter_reader.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/sql_line.h"
#include "connectors/postgres/letter_options.h"
#include "connectors/postgres/options.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class ReplaySource final : public core::Source {
 public:
  ReplaySource(const PostgresOptions& options, const LetterOptions& letters, core::ChunkPool& pool,
               std::shared_ptr<SharedSlot> shared);

  /// Asks for an automatic replay of this route's letters, if there are any.
  void replay_route(uint32_t route);
  /// Replays that wait for a second person.
  uint64_t proposed() const { return proposed_; }

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::told; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

 private:
  enum class State : uint8_t {
    naming,      // the blocked keys are asked for, or handed out
    resting,     // until the next look at what is due
    looking,     // the jobs are asked for
    reading,     // a page of a job is asked for
    handing,     // a page is handed out
    confirming,  // a round was handed out; its end is awaited
    passing,     // the database is told that the round is over
    absent,      // the schema has no letters
  };
  struct Job {
    std::string number;
    int rate_per_s = 0;  // 0: any
  };

  bool may_talk() const;
  core::Result<void> on_error(const core::Error& error, core::Batch& batch);
  void ask(core::Now now);
  void ask_what_is_due(core::Now now);
  uint32_t held_retries(core::Now now);
  core::Result<void> on_answers(std::vector<ResultHandle>& answers, core::Batch& batch,
                                core::Now now);
  core::Result<void> hand_out(core::Batch& batch, core::Credit& left, core::Now now);
  void hand_out_keys(core::Batch& batch);
  void take_page(ResultHandle page);
  void take_released(const PGresult* rows, core::Batch& batch);
  void take_jobs(const PGresult* rows, core::Now now);
  void begin_pass(core::Now now);
  void end_round(core::Batch& batch);
  void rest(core::Instant until);
  size_t page_letters(core::Now now);

  void put_key(const PGresult* rows, int row, core::ItemKind kind, core::Batch& batch);

  const PostgresOptions options_;
  const LetterOptions letter_options_;
  const std::shared_ptr<SharedSlot> shared_;
  SqlLine line_;
  LetterReader letters_;

  State state_ = State::naming;
  core::Instant look_at_{};
  State asked_ = State::naming;  // of the question under way
  ResultHandle rows_;            // what is being handed out: keys, or a page
  ResultHandle ahead_;           // the page behind that one
  int next_row_ = 0;
  uint64_t round_ = 0;
  uint64_t turn_ = 0;                   // events of this round
  std::vector<std::string> told_;       // released letters, until the database has forgotten them
  std::vector<std::string> recovered_;  // routes to be replayed
  size_t asked_routes_ = 0;             // of those, in the question under way
  uint64_t proposed_ = 0;
  core::Instant retries_at_{};
  double retries_ = 0;  // of held keys, that the budget has left

  // Of the pass at hand.
  std::vector<Job> jobs_;  // the first is its own
  std::string after_lane_;
  std::string after_place_;
  core::Instant pass_until_{};
  core::Instant allowance_at_{};
  double allowance_ = 0;
  bool had_letters_ = false;
};

}  // namespace outbox::postgres
