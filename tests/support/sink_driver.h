#pragma once
// SinkDriver: the pipeline's side of the Sink contract and nothing else: submits events in order,
// keeps the keys that were answered `wait` back, goes back to the lowest after a failure, and
// insists that every admitted delivery completes exactly once. For tests of one sink by itself.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "relay/core/sink.h"
#include "tests/support/event_maker.h"

namespace outbox::support {

class SinkDriver {
 public:
  enum class State { queued, outside, delivered, rejected, failed };

  struct Item {
    EventSpec spec;
    std::vector<core::Header> headers;
    core::Event event;
    const core::Destination* destination = nullptr;
    State state = State::queued;
    uint32_t admissions = 0;
    uint32_t completions = 0;
    uint32_t attempts = 0;
    std::string cause;  // "CODE: detail" of the newest that had one
  };

  /// The sink outlives the driver's last step.
  explicit SinkDriver(core::Sink& sink, core::Purpose purpose = core::Purpose::deliver)
      : sink_(sink), purpose_(purpose) {}

  /// Adds an event behind the others; its ticket is its number in this driver.
  size_t add(EventSpec spec, const core::Destination* destination,
             const core::Cause* cause = nullptr);

  /// The event goes another way (to the dead letters, say): it is not submitted again.
  void withdraw(size_t number);

  /// One round: completions, then submissions. True when something happened.
  bool step(core::Now now);

  /// Everything is delivered or rejected.
  bool settled() const { return open_ == 0; }
  size_t outside() const { return outside_; }
  size_t count(State state) const;
  const Item& item(size_t number) const { return items_[number]; }
  size_t size() const { return items_.size(); }

  /// What broke the contract; empty while nothing did.
  const std::string& violation() const { return violation_; }
  uint64_t returned_count() const { return returned_; }
  uint64_t retry_count() const { return retried_; }
  /// Submissions answered `wait`.
  uint64_t wait_count() const { return waits_; }
  /// What the last submission of the newest step was answered.
  core::Admission newest_answer() const { return newest_answer_; }

 private:
  void take(const core::Completion& completion);
  core::Admission submit(size_t number, core::Now now);
  void violate(const std::string& what);

  core::Sink& sink_;
  core::Purpose purpose_;
  std::deque<Item> items_;
  std::vector<const core::Cause*> causes_;
  std::vector<core::Completion> completions_;
  std::optional<size_t> failed_after_;  // the fence is expected to hold until all came back
  size_t open_ = 0;
  size_t outside_ = 0;
  uint64_t returned_ = 0;
  uint64_t retried_ = 0;
  uint64_t waits_ = 0;
  core::Admission newest_answer_ = core::Admission::admitted;
  std::string violation_;
};

}  // namespace outbox::support
