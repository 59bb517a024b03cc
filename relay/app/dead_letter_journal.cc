#include "relay/app/dead_letter_journal.h"

#include <utility>

namespace outbox::app {

using core::Admission;
using core::Completion;
using core::Outcome;

const core::Destination& DeadLetterJournal::destination(std::string_view name) {
  return topics_.destination(name);
}

Admission DeadLetterJournal::submit(const core::Delivery& delivery, core::Now now) {
  const Admission answer = table_.submit(delivery, now);
  if (answer == Admission::admitted && delivery.purpose == core::Purpose::dead_letter) {
    in_table_.emplace(delivery.ticket.pack(), delivery);
  }
  return answer;
}

void DeadLetterJournal::poll(std::vector<Completion>& completions, core::Now now) {
  done_.clear();
  table_.poll(done_, now);
  for (Completion& completion : done_) {
    const auto letter = in_table_.find(completion.ticket.pack());
    if (letter == in_table_.end()) {
      completions.push_back(std::move(completion));
      continue;
    }
    if (completion.outcome == Outcome::durable) {
      to_copy_.push_back(letter->second);
      known_before_.emplace(completion.ticket.pack(), completion.known_before);
    } else {
      completions.push_back(std::move(completion));
    }
    in_table_.erase(letter);
  }
  while (!to_copy_.empty() && topics_.submit(to_copy_.front(), now) == Admission::admitted) {
    to_copy_.pop_front();
  }
  done_.clear();
  topics_.poll(done_, now);
  for (Completion& completion : done_) {
    const auto known = known_before_.extract(completion.ticket.pack());
    if (!known.empty()) completion.known_before = known.mapped();
    if (completion.outcome != Outcome::durable) give_back(completions);
    completions.push_back(std::move(completion));
  }
}

// Those that are not copied yet may stand behind the one that failed.
void DeadLetterJournal::give_back(std::vector<Completion>& completions) {
  for (const core::Delivery& letter : to_copy_) {
    known_before_.erase(letter.ticket.pack());
    completions.push_back({letter.ticket, Outcome::returned, nullptr});
  }
  to_copy_.clear();
}

uint64_t DeadLetterJournal::wait_generation() const {
  return table_.wait_generation() + topics_.wait_generation();
}

}  // namespace outbox::app
