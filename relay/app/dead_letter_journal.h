#pragma once
// DeadLetterJournal: a pipeline's journal where letters go into a table and dead ones into a topic
// besides: the table is the truth, the topic a copy for whoever listens. A dead letter is durable
// once both have it; held and parked letters are in the table only, since nobody has given them up.
//
// Thread: the pipeline's. A copy whose table row is durable and whose topic failed is tried again
// whole: the table knows the letter then.

#include <deque>
#include <unordered_map>
#include <vector>

#include "relay/core/sink.h"

namespace outbox::app {

class DeadLetterJournal final : public core::Sink {
 public:
  /// Both outlive this, and are asked for their interests and health beside it.
  DeadLetterJournal(core::Sink& table, core::Sink& topics) : table_(table), topics_(topics) {}

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override;
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  void give_back(std::vector<core::Completion>& completions);

  core::Sink& table_;
  core::Sink& topics_;
  std::unordered_map<uint64_t, core::Delivery> in_table_;  // dead letters on their way, by ticket
  std::deque<core::Delivery> to_copy_;                     // in the table, not yet in the topic
  std::unordered_map<uint64_t, bool> known_before_;        // of those, by ticket
  std::vector<core::Completion> done_;                     // reused
};

}  // namespace outbox::app
