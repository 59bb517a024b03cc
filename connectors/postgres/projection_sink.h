#pragma once
// ProjectionSink: events into a table or a function of another Postgres database, each once.
//
// Each event is one statement that receives it (outbox.receive, for the pipeline as consumer) and
// writes it; a batch of them is one transaction. So an event that was written before does nothing,
// and the outcome of a commit whose answer was lost need not be known: the events come again.
//
// Order: fail_stop. A batch happens whole or not at all. The event that the database refuses is
// known by its place in the batch: it is rejected with its SQLSTATE, all the others are returned
// and come again. A refusal at COMMIT (a deferred constraint) names nobody, so batches shrink until
// the event is alone.
//
// While no event can be written (no connection, no table, no right) all wait, and health() says
// why.
//
// Thread: the pipeline's; connecting runs in a worker inside SqlLine.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "connectors/postgres/detail/sql_line.h"
#include "connectors/postgres/projection_options.h"
#include "relay/core/sink.h"

namespace outbox::postgres {

class ProjectionSink final : public core::Sink {
 public:
  explicit ProjectionSink(ProjectionOptions options);

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  /// There is one, called as the table or function; every other name is missing.
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return 0; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

 private:
  struct Batch {
    std::vector<core::Delivery> deliveries;
    size_t bytes = 0;
  };

  void lost(std::vector<core::Completion>& completions);
  void write(core::Now now);
  void add_event(const core::Delivery& delivery);
  void settle(const std::vector<ResultHandle>& answers, std::vector<core::Completion>& completions,
              core::Now now);
  void refused(const PGresult* failed, size_t place, std::vector<core::Completion>& completions,
               core::Now now);
  void wait_for_mend(std::string reason, core::Now now);
  void give_back(std::vector<core::Completion>& completions);
  static void complete(const core::Delivery& delivery, core::Outcome outcome,
                       std::vector<core::Completion>& completions);

  const ProjectionOptions options_;
  std::deque<core::Destination> destinations_;  // ours first
  SqlLine line_;
  Batch gathering_;
  Batch outside_;
  size_t batch_events_max_;
  bool rolling_back_ = false;
  core::Instant write_at_{};  // not before
  std::string reason_;        // why no event can be written; empty: nothing is known against it
};

}  // namespace outbox::postgres
