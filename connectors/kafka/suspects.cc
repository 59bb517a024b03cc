#include "connectors/kafka/suspects.h"

#include <algorithm>

namespace outbox::kafka {

void Suspects::accuse(std::vector<core::Ticket> batch) {
  clear();
  std::sort(batch.begin(), batch.end());
  for (const core::Ticket ticket : batch) entries_.push_back(Entry{ticket});
  left_ = entries_.size();
  open_group();
}

std::deque<Suspects::Entry>::const_iterator Suspects::find(core::Ticket ticket) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), ticket,
      [](const Entry& entry, core::Ticket wanted) { return entry.ticket < wanted; });
  return at != entries_.end() && at->ticket == ticket ? at : entries_.end();
}

// What is older than all of them goes first: its key would stand still for ever if it waited for
// suspects of that key, which stand behind it.
bool Suspects::admits(core::Ticket ticket) const {
  const bool older = ticket < entries_.front().ticket;
  return room_ > 0 && (older || find(ticket) != entries_.end());
}

void Suspects::sent(core::Ticket ticket) {
  if (ticket < entries_.front().ticket) {
    entries_.push_front(Entry{ticket});
    ++left_;
  }
  --room_;
  ++outside_;
}

void Suspects::recall() {
  outside_ = 0;
  open_group();
}

bool Suspects::acquit(core::Ticket ticket) {
  const auto found = find(ticket);
  if (found == entries_.end() || found->acquitted) return false;
  entries_[static_cast<size_t>(found - entries_.begin())].acquitted = true;
  --left_;
  if (outside_ > 0) --outside_;
  if (left_ == 0) clear();
  if (outside_ > 0) return false;
  open_group();
  return true;
}

void Suspects::clear() {
  entries_.clear();
  left_ = outside_ = room_ = 0;
}

void Suspects::open_group() { room_ = left_ == 0 ? 0 : std::max<size_t>(1, left_ / 2); }

}  // namespace outbox::kafka
