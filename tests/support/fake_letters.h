#pragma once
// FakeLetters: what the journal's table holds, across the crashes of the relays that write it; and
// FakeReplay, through which one relay process reads it again.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "relay/core/sink.h"
#include "relay/core/source.h"
#include "tests/support/event_maker.h"

namespace outbox::support {

class FakeLetters {
 public:
  struct Letter {
    EventSpec event;
    core::Purpose kept = core::Purpose::dead_letter;  // or hold, park
    std::string cause;                                // code; empty: it stands behind another
    uint64_t epoch = 0;                               // of the process that wrote it
    bool open = true;
    uint32_t refused_again = 0;

    bool blocks() const { return open && event.key && kept != core::Purpose::dead_letter; }
  };

  /// Takes a journal's delivery in. True: an earlier process wrote this event.
  bool write(const core::Delivery& delivery);

  /// An operator gives a letter up; the replay tells the pipeline.
  void discard(uint64_t number);

  const std::deque<Letter>& all() const { return letters_; }
  std::vector<EventSpec>& gone() { return gone_; }
  size_t open() const;

 private:
  std::deque<Letter> letters_;
  std::vector<EventSpec> gone_;  // discarded, and the relay has not heard of it
};

class FakeReplay : public core::Source {
 public:
  explicit FakeReplay(FakeLetters& letters) : letters_(letters) {}

  /// One more round of everything that is open, once the one under way is confirmed.
  void replay() { round_wanted_ = true; }
  bool ready() const {
    return !named_ || (state_ == State::idle && (round_wanted_ || !letters_.gone().empty()));
  }

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  enum class State : uint8_t { idle, handing_out, handed_out };

  void name_keys(core::Batch& batch);
  void tell_gone(core::Batch& batch);
  void boundary(core::Batch& batch);

  FakeLetters& letters_;
  EventMaker maker_;
  State state_ = State::idle;
  bool round_wanted_ = false;
  uint64_t round_ = 1;
  std::vector<size_t> in_round_;
  size_t next_ = 0;
  bool named_ = false;
};

}  // namespace outbox::support
