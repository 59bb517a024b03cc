#pragma once
// FakeSink: a fail_stop destination with knobs. What it holds stays outside until the test says
// what became of it (corked), or is taken in order at the next poll (uncorked, the default). It
// keeps its side of the contract in relay/core/sink.h: after a failure it is fenced until all it
// held has completed, and a test that would break order by acknowledging behind a failure stops at
// an assert.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/core/sink.h"
#include "tests/support/fake_letters.h"
#include "tests/support/witness.h"

namespace outbox::support {

class FakeSink : public core::Sink {
 public:
  enum class Fence { no, yes };
  enum class Landed { no, yes };

  /// One record that landed, in the order of landing.
  struct Record {
    core::Ticket ticket;
    uint64_t number = 0;  // of the id
    std::string destination;
    std::string key;
    std::string payload;
    std::string cause;  // code, of a dead letter
    core::Position position;
    uint64_t epoch = 0;
    uint32_t attempts = 0;
  };

  /// As a journal, with `letters`: what lands is written there.
  explicit FakeSink(Witness* witness = nullptr, FakeLetters* letters = nullptr)
      : witness_(witness), letters_(letters) {}

  // -- destinations: usable once asked for, unless told otherwise before
  core::Destination& topic(const std::string& name);
  /// Destinations first asked for from now on are still unknown: submit answers `wait`.
  void facts_unknown() { new_topic_state_ = core::DestinationState::unknown; }
  /// Reads the facts of a destination that was unknown.
  void facts_known(const std::string& name);
  /// look_again() is answered from now on, by read_again().
  void facts_can_be_read_again() { reads_again_ = true; }
  void read_again(const std::string& name, core::DestinationState state);

  // -- admission
  void cork() { corked_ = true; }
  void uncork() { corked_ = false; }
  /// `full` when that many are outside.
  void limit(size_t outside_max) { outside_max_ = outside_max; }
  /// Events of this key are answered `wait` until free_key().
  void hold_key(const std::string& key) { held_keys_.insert(key); }
  void free_key(const std::string& key);
  /// Frees each key right behind the `wait` that it is answered, still inside that submit.
  void free_keys_while_answering() { frees_while_answering_ = true; }

  // -- what became of deliveries that are outside
  void acknowledge(core::Ticket ticket);
  void acknowledge_all();
  void refuse(core::Ticket ticket, core::Cause cause, Fence fence = Fence::yes);
  void fail(core::Ticket ticket, core::Cause cause, Landed landed = Landed::no);
  void give_back(core::Ticket ticket);
  /// Ends a fence: all that is still outside comes back, newest last.
  void give_back_all();
  /// The record may or may not have landed and nobody will know: `unknown`.
  void lose(core::Ticket ticket);
  void break_down(core::Ticket ticket, core::Cause cause);
  /// The process dies: whatever could still land of what is outside, lands, and nobody hears of it.
  void land_in_flight();
  /// Refused by an uncorked sink, with a fence, whenever it comes.
  void poison(uint64_t number) { poison_.insert(number); }
  /// From now on it takes everything.
  void mend() { poison_.clear(); }

  // -- what a test looks at
  const std::vector<core::Delivery>& outside() const { return outside_; }
  const std::vector<Record>& log() const { return log_; }
  std::vector<uint64_t> landed_numbers() const;
  bool fenced() const { return fenced_; }
  uint64_t submit_calls() const { return submit_calls_; }
  /// The next poll has completions, or something that waited may pass: the loop would wake up.
  bool ready() const;

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  bool look_again(const core::Destination&) override { return reads_again_; }
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return generation_; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  core::Admission admission_of(const core::Delivery& delivery) const;
  core::Delivery take_out(core::Ticket ticket);
  bool behind_failure(const core::Delivery& delivery) const;
  void complete(const core::Delivery& delivery, core::Outcome outcome, const core::Cause* cause,
                bool known_before = false);
  bool land(const core::Delivery& delivery);  // true: it was known before
  void fence_behind(const core::Delivery& failed);
  void check_order(core::Ticket ticket) const;
  void take_all_in_order();

  Witness* witness_;
  FakeLetters* letters_;
  std::map<std::string, core::Destination> topics_;  // addresses stay
  core::DestinationState new_topic_state_ = core::DestinationState::usable;
  std::vector<core::Delivery> outside_;
  std::vector<core::Completion> completions_;
  std::vector<Record> log_;
  std::set<std::string> held_keys_;
  std::set<uint64_t> poison_;
  // The first failure of each key since the fence.
  std::map<std::pair<const core::Destination*, std::string>, core::Ticket> failed_;
  size_t outside_max_ = SIZE_MAX;
  uint64_t generation_ = 1;
  uint64_t polled_generation_ = 1;
  uint64_t submit_calls_ = 0;
  bool frees_while_answering_ = false;
  bool reads_again_ = false;
  bool corked_ = false;
  bool fenced_ = false;
};

}  // namespace outbox::support
