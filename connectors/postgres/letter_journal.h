#pragma once
// LetterJournal: writes letters into outbox.dead_letter, and what became of those that were
// replayed (core::Purpose; outbox-schema/migrations/V004). A journal for every route of a pipeline.
//
// Owner: the wiring, by make_postgres_source. Thread: the pipeline's. It connects with the first
// letter, and again by itself.
//
// A batch of letters is one transaction, and fenced: a relay that was taken over writes nothing
// (invariant 8). Held and parked letters save in the same transaction that their stream is settled
// up to the last of them (sink.h). When the connection breaks while a batch is under way, nobody
// knows whether it happened: the same batch is written again, and a letter that is there already is
// known by its id and content.
//
// Where the schema has no table for letters and no route needs it, dead letters are durable at
// once: their topics are all that keeps them then.
//
// Completions: durable; retry, when the server cannot write now (its disk is full, it is stopping);
// fatal, when another relay took over, or the server refuses a letter for good.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/sql_line.h"
#include "connectors/postgres/letter_options.h"
#include "connectors/postgres/options.h"
#include "relay/core/sink.h"

namespace outbox::postgres {

class LetterJournal final : public core::Sink {
 public:
  LetterJournal(const PostgresOptions& options, LetterOptions letters,
                std::shared_ptr<SharedSlot> shared);

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  /// Letters have no destination but the table.
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return 0; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

 private:
  /// A delivery, and which statement of the batch answers for it.
  struct Letter {
    core::Delivery delivery;
    size_t answer = 0;
  };
  struct Batch {
    std::vector<Letter> letters;
    size_t bytes = 0;
    void clear() {
      letters.clear();
      bytes = 0;
    }
  };

  bool may_talk() const;
  void talk(std::vector<core::Completion>& completions, core::Now now);
  bool may_send() const;
  void write(core::Now now);
  RouteLetters policy_of(uint32_t route) const;
  void add_fence();
  void add_letter(const core::Delivery& delivery);
  void add_refused(const core::Delivery& delivery);
  void settle(const std::vector<ResultHandle>& answers, std::vector<core::Completion>& completions);
  void give_up(const PGresult* failed, std::vector<core::Completion>& completions);
  void complete_all(core::Outcome outcome, const core::Cause* cause,
                    std::vector<core::Completion>& completions);

  const PostgresOptions options_;
  const LetterOptions letters_;
  const std::shared_ptr<SharedSlot> shared_;
  const std::string relay_;  // who we are, for people
  const core::Destination table_;

  SqlLine line_;
  bool wanted_ = false;
  std::optional<core::Error> broken_;
  bool absent_ = false;  // there is no table
  Batch gathering_;
  Batch outside_;
};

}  // namespace outbox::postgres
