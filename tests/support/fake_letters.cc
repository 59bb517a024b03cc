#include "tests/support/fake_letters.h"

#include <algorithm>
#include <map>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::support {
namespace {

using core::Purpose;

EventSpec spec_of(const core::Event& event) {
  EventSpec spec;
  spec.number = number_of(event.id);
  spec.aggregate_type = event.aggregate_type;
  if (event.aggregate_id) spec.key = std::string(*event.aggregate_id);
  spec.event_type = event.event_type;
  if (event.payload) spec.payload = std::string(*event.payload);
  for (const core::Header& header : event.headers) {
    spec.headers.emplace_back(std::string(header.name), std::nullopt);
    if (header.value) spec.headers.back().second = std::string(*header.value);
  }
  spec.headers_fault = event.headers_fault;
  spec.commit_time = event.commit_time;
  spec.position = event.position;
  return spec;
}

}  // namespace

bool FakeLetters::write(const core::Delivery& delivery) {
  if (delivery.purpose == Purpose::result) {
    Letter& letter = letters_.at(delivery.event->seq);
    OUTBOX_ASSERT(letter.event.number == number_of(delivery.event->id));
    if (delivery.cause == nullptr) letter.open = false;
    if (delivery.cause != nullptr) ++letter.refused_again;
    return false;
  }
  const uint64_t number = number_of(delivery.event->id);
  for (const Letter& known : letters_) {
    if (known.event.number == number) return known.epoch < delivery.epoch;
  }
  Letter& letter = letters_.emplace_back();
  letter.event = spec_of(*delivery.event);
  letter.kept = delivery.purpose;
  letter.epoch = delivery.epoch;
  if (delivery.cause != nullptr) letter.cause = delivery.cause->code;
  return false;
}

void FakeLetters::discard(uint64_t number) {
  for (Letter& letter : letters_) {
    if (letter.event.number != number || !letter.open) continue;
    if (letter.blocks()) gone_.push_back(letter.event);
    letter.open = false;
  }
}

size_t FakeLetters::open() const {
  return static_cast<size_t>(std::count_if(letters_.begin(), letters_.end(),
                                           [](const Letter& letter) { return letter.open; }));
}

core::Result<void> FakeReplay::poll(core::Batch& batch, std::span<const core::Credit> credit,
                                    core::Now) {
  OUTBOX_ASSERT(credit.size() == 1);
  if (!named_) name_keys(batch);
  if (state_ == State::idle) tell_gone(batch);
  if (state_ == State::idle && round_wanted_ && credit[0].events > 0) {
    round_wanted_ = false;
    state_ = State::handing_out;
    in_round_.clear();
    next_ = 0;
    for (size_t at = 0; at < letters_.all().size(); ++at) {
      if (letters_.all()[at].open) in_round_.push_back(at);
    }
  }
  if (state_ != State::handing_out) return {};
  core::Credit left = credit[0];
  for (; next_ < in_round_.size() && left.events > 0 && left.bytes > 0; ++next_) {
    const FakeLetters::Letter& letter = letters_.all()[in_round_[next_]];
    EventSpec spec = letter.event;
    spec.position = {round_, next_ + 1};
    spec.seq = in_round_[next_];
    batch.push_back(maker_.make(spec));
    batch.back().letters = letter.blocks() ? 1 : 0;
    --left.events;
    left.bytes -= std::min(left.bytes, batch.back().event.bytes());
  }
  maker_.let_go();
  if (next_ < in_round_.size()) return {};
  state_ = State::handed_out;
  boundary(batch);
  return {};
}

void FakeReplay::name_keys(core::Batch& batch) {
  std::map<std::pair<std::string, std::string>, std::pair<EventSpec, uint64_t>> keys;
  for (const FakeLetters::Letter& letter : letters_.all()) {
    if (!letter.blocks()) continue;
    auto& [spec, count] = keys[{letter.event.aggregate_type, *letter.event.key}];
    spec = letter.event;
    ++count;
  }
  for (const auto& [key, letters] : keys) {
    batch.push_back(maker_.make(letters.first));
    batch.back().kind = core::ItemKind::blocked;
    batch.back().letters = letters.second;
  }
  letters_.gone().clear();
  named_ = true;
  state_ = State::handed_out;
  boundary(batch);
}

void FakeReplay::tell_gone(core::Batch& batch) {
  for (const EventSpec& spec : letters_.gone()) {
    batch.push_back(maker_.make(spec));
    batch.back().kind = core::ItemKind::released;
    batch.back().letters = 1;
  }
  letters_.gone().clear();
}

void FakeReplay::boundary(core::Batch& batch) {
  core::Item item;
  item.kind = core::ItemKind::boundary;
  item.event.position = {++round_, 0};
  batch.push_back(std::move(item));
}

void FakeReplay::confirm(const core::Settled& settled) {
  OUTBOX_ASSERT((settled.low == core::Position{round_, 0}));
  OUTBOX_ASSERT(state_ == State::handed_out);
  state_ = State::idle;
}

}  // namespace outbox::support
