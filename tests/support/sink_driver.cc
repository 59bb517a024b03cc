#include "tests/support/sink_driver.h"

#include <utility>

namespace outbox::support {

using core::Admission;
using core::Completion;
using core::Outcome;

size_t SinkDriver::add(EventSpec spec, const core::Destination* destination,
                       const core::Cause* cause) {
  const size_t number = items_.size();
  Item& item = items_.emplace_back();
  item.spec = std::move(spec);
  item.destination = destination;
  for (const auto& [name, value] : item.spec.headers) {
    item.headers.push_back(core::Header{name, value});
  }
  core::Event& event = item.event;
  event.id = numbered_id(item.spec.number);
  event.aggregate_type = item.spec.aggregate_type;
  event.event_type = item.spec.event_type;
  if (item.spec.key) event.aggregate_id = *item.spec.key;
  if (item.spec.payload) event.payload = *item.spec.payload;
  event.headers = item.headers;
  event.commit_time = item.spec.commit_time;
  event.position = item.spec.position;
  causes_.push_back(cause);
  ++open_;
  return number;
}

void SinkDriver::withdraw(size_t number) {
  if (items_[number].state != State::queued) return;
  items_[number].state = State::failed;
  --open_;
}

bool SinkDriver::step(core::Now now) {
  completions_.clear();
  sink_.poll(completions_, now);
  for (const Completion& completion : completions_) take(completion);
  bool worked = !completions_.empty();
  std::set<std::string> waiting;
  for (size_t number = 0; number < items_.size(); ++number) {
    const Item& item = items_[number];
    if (item.state != State::queued) continue;
    if (item.spec.key && waiting.contains(*item.spec.key)) continue;
    newest_answer_ = submit(number, now);
    if (newest_answer_ == Admission::full) break;
    if (newest_answer_ == Admission::wait) {
      ++waits_;
      if (item.spec.key) waiting.insert(*item.spec.key);
      continue;
    }
    worked = true;
  }
  return worked;
}

Admission SinkDriver::submit(size_t number, core::Now now) {
  Item& item = items_[number];
  core::Delivery delivery;
  delivery.ticket = core::Ticket{core::StreamId{0}, number};
  delivery.event = &item.event;
  delivery.destination = item.destination;
  delivery.cause = causes_[number];
  delivery.epoch = 7;
  delivery.attempts = item.attempts;
  delivery.position_form = core::PositionForm::lsn_ordinal;
  delivery.purpose = purpose_;
  const Admission answer = sink_.submit(delivery, now);
  if (answer != Admission::admitted) return answer;
  if (failed_after_ && outside_ > 0) {
    violate("number " + std::to_string(number) + " was admitted behind the failure of number " +
            std::to_string(*failed_after_) + " with " + std::to_string(outside_) +
            " still outside");
  }
  item.state = State::outside;
  ++item.admissions;
  ++outside_;
  return answer;
}

void SinkDriver::take(const Completion& completion) {
  if (completion.ticket.index >= items_.size() ||
      items_[completion.ticket.index].state != State::outside) {
    violate("a completion for number " + std::to_string(completion.ticket.index) +
            ", which is not outside");
    return;
  }
  Item& item = items_[completion.ticket.index];
  ++item.completions;
  --outside_;
  if (completion.cause) item.cause = completion.cause->code + ": " + completion.cause->detail;
  switch (completion.outcome) {
    case Outcome::durable:
      item.state = State::delivered;
      --open_;
      break;
    case Outcome::reject:
      item.state = State::rejected;
      --open_;
      break;
    case Outcome::retry:
      ++retried_;
      ++item.attempts;
      item.state = State::queued;
      failed_after_ = completion.ticket.index;
      break;
    case Outcome::returned:
      ++returned_;
      item.state = State::queued;
      failed_after_ = completion.ticket.index;
      break;
    case Outcome::unknown:
    case Outcome::fatal:
      item.state = State::failed;
      --open_;
      break;
  }
  if (outside_ == 0) failed_after_.reset();
}

size_t SinkDriver::count(State state) const {
  size_t count = 0;
  for (const Item& item : items_) count += item.state == state ? 1 : 0;
  return count;
}

void SinkDriver::violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

}  // namespace outbox::support
