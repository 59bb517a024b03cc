#include "tests/support/fake_sink.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"
#include "tests/support/event_maker.h"

namespace outbox::support {
namespace {

using core::Admission;
using core::Cause;
using core::Delivery;
using core::Destination;
using core::DestinationState;
using core::Outcome;
using core::Ticket;

std::string key_of(const Delivery& delivery) {
  return std::string(delivery.event->aggregate_id.value_or(""));
}

}  // namespace

Destination& FakeSink::topic(const std::string& name) {
  const auto [found, added] = topics_.try_emplace(name);
  if (added) {
    found->second.name = name;
    found->second.id = static_cast<uint32_t>(topics_.size() - 1);
    found->second.state = new_topic_state_;
  }
  return found->second;
}

const Destination& FakeSink::destination(std::string_view name) { return topic(std::string(name)); }

void FakeSink::facts_known(const std::string& name) {
  topic(name).state = DestinationState::usable;
  ++generation_;
}

void FakeSink::read_again(const std::string& name, DestinationState state) {
  topic(name).state = state;
  ++topic(name).reads;
  ++generation_;
}

void FakeSink::free_key(const std::string& key) {
  held_keys_.erase(key);
  ++generation_;
}

bool FakeSink::ready() const {
  return !completions_.empty() || (!corked_ && !outside_.empty()) ||
         generation_ != polled_generation_;
}

Admission FakeSink::admission_of(const Delivery& delivery) const {
  if (fenced_ || outside_.size() >= outside_max_) return Admission::full;
  if (delivery.purpose == core::Purpose::deliver &&
      delivery.destination->state == DestinationState::unknown) {
    return Admission::wait;
  }
  if (held_keys_.contains(key_of(delivery))) return Admission::wait;
  return Admission::admitted;
}

Admission FakeSink::submit(const Delivery& delivery, core::Now) {
  ++submit_calls_;
  const Admission admission = admission_of(delivery);
  if (admission == Admission::admitted) outside_.push_back(delivery);
  if (witness_ != nullptr) witness_->submitted(delivery, admission);
  if (admission == Admission::wait && frees_while_answering_) free_key(key_of(delivery));
  return admission;
}

void FakeSink::poll(std::vector<core::Completion>& completions, core::Now) {
  if (!corked_) take_all_in_order();
  for (core::Completion& completion : completions_) completions.push_back(std::move(completion));
  completions_.clear();
  polled_generation_ = generation_;
  if (fenced_ && outside_.empty()) {
    fenced_ = false;
    failed_.clear();
  }
}

void FakeSink::take_all_in_order() {
  while (!outside_.empty()) {
    const Delivery first = outside_.front();
    if (poison_.contains(number_of(first.event->id))) {
      refuse(first.ticket, Cause{"POISON", "refused whenever it comes"});
      give_back_all();
    } else if (fenced_) {
      give_back_all();
    } else {
      acknowledge(first.ticket);
    }
  }
}

void FakeSink::acknowledge(Ticket ticket) {
  check_order(ticket);
  const Delivery delivery = take_out(ticket);
  const bool known_before = land(delivery);
  complete(delivery, Outcome::durable, nullptr, known_before);
}

void FakeSink::acknowledge_all() {
  while (!outside_.empty()) acknowledge(outside_.front().ticket);
}

void FakeSink::refuse(Ticket ticket, Cause cause, Fence fence) {
  const Delivery delivery = take_out(ticket);
  if (witness_ != nullptr) witness_->refused(delivery);
  if (fence == Fence::yes) fence_behind(delivery);
  complete(delivery, Outcome::reject, &cause);
}

void FakeSink::fail(Ticket ticket, Cause cause, Landed landed) {
  const Delivery delivery = take_out(ticket);
  if (landed == Landed::yes) land(delivery);
  fence_behind(delivery);
  complete(delivery, Outcome::retry, &cause);
}

void FakeSink::give_back(Ticket ticket) {
  const Delivery delivery = take_out(ticket);
  fence_behind(delivery);
  complete(delivery, Outcome::returned, nullptr);
}

void FakeSink::give_back_all() {
  while (!outside_.empty()) give_back(outside_.front().ticket);
}

void FakeSink::lose(Ticket ticket) {
  const Delivery delivery = take_out(ticket);
  fence_behind(delivery);
  const Cause cause{"NO_ANSWER", "the request went out and no answer came"};
  complete(delivery, Outcome::unknown, &cause);
}

void FakeSink::break_down(Ticket ticket, Cause cause) {
  const Delivery delivery = take_out(ticket);
  fence_behind(delivery);
  complete(delivery, Outcome::fatal, &cause);
}

Delivery FakeSink::take_out(Ticket ticket) {
  const auto found = std::find_if(outside_.begin(), outside_.end(),
                                  [&](const Delivery& held) { return held.ticket == ticket; });
  OUTBOX_ASSERT(found != outside_.end());
  const Delivery delivery = *found;
  outside_.erase(found);
  return delivery;
}

void FakeSink::complete(const Delivery& delivery, Outcome outcome, const Cause* cause,
                        bool known_before) {
  core::Completion completion;
  completion.ticket = delivery.ticket;
  completion.outcome = outcome;
  completion.known_before = known_before;
  if (cause != nullptr) completion.cause = std::make_unique<Cause>(*cause);
  completions_.push_back(std::move(completion));
  if (witness_ != nullptr) witness_->completed(delivery, outcome);
}

bool FakeSink::land(const Delivery& delivery) {
  log_.push_back({delivery.ticket, number_of(delivery.event->id),
                  delivery.destination != nullptr ? delivery.destination->name : "",
                  key_of(delivery), std::string(delivery.event->payload.value_or("")),
                  delivery.cause != nullptr ? delivery.cause->code : "", delivery.event->position,
                  delivery.epoch, delivery.attempts});
  if (witness_ != nullptr) witness_->landed(delivery);
  return letters_ != nullptr && letters_->write(delivery);
}

void FakeSink::fence_behind(const Delivery& failed) {
  fenced_ = true;
  if (!failed.event->aggregate_id) return;
  auto [first, added] = failed_.try_emplace({failed.destination, key_of(failed)}, failed.ticket);
  if (!added) first->second = std::min(first->second, failed.ticket);
}

// The test's own bug: behind a failure, or before what was submitted earlier, nothing of the same
// key and destination may become durable.
void FakeSink::check_order(Ticket ticket) const {
  const auto submitted = std::find_if(outside_.begin(), outside_.end(),
                                      [&](const Delivery& held) { return held.ticket == ticket; });
  OUTBOX_ASSERT(submitted != outside_.end());
  const Delivery& delivery = *submitted;
  if (!delivery.event->aggregate_id) return;
  OUTBOX_ASSERT(!behind_failure(delivery));
  for (auto earlier = outside_.begin(); earlier != submitted; ++earlier) {
    OUTBOX_ASSERT(earlier->destination != delivery.destination ||
                  earlier->event->aggregate_id != delivery.event->aggregate_id);
  }
}

bool FakeSink::behind_failure(const Delivery& delivery) const {
  const auto failed = failed_.find({delivery.destination, key_of(delivery)});
  return delivery.event->aggregate_id && failed != failed_.end() &&
         failed->second < delivery.ticket;
}

void FakeSink::land_in_flight() {
  for (const Delivery& delivery : outside_) {
    if (poison_.contains(number_of(delivery.event->id)))
      fence_behind(delivery);
    else if (!behind_failure(delivery))
      land(delivery);
  }
  outside_.clear();
}

std::vector<uint64_t> FakeSink::landed_numbers() const {
  std::vector<uint64_t> numbers;
  for (const Record& record : log_) numbers.push_back(record.number);
  return numbers;
}

}  // namespace outbox::support
