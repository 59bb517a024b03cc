#include "relay/flow/blocked_keys.h"

#include <algorithm>

#include "relay/core/assert.h"

namespace outbox::flow {

BlockedKeys::Passage BlockedKeys::passage(uint64_t key, core::Ticket ticket) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return Passage::free;
  const Letters& letters = found->second;
  if (letters.from && letters.from->stream == ticket.stream && ticket.index < letters.from->index) {
    return Passage::free;
  }
  return letters.on_their_way == letters.open ? Passage::draining : Passage::blocked;
}

void BlockedKeys::add(uint64_t key, uint64_t letters, std::optional<core::Ticket> from) {
  const auto [found, added] = keys_.try_emplace(key);
  Letters& known = found->second;
  if (added) {
    known.from = from;
  } else if (known.from && from && from->stream == known.from->stream) {
    known.from = std::min(*known.from, *from);
  }
  known.open += letters;
}

void BlockedKeys::replay_put_back(uint64_t key) {
  Letters& letters = keys_.at(key);
  OUTBOX_ASSERT(letters.on_their_way > 0);
  --letters.on_their_way;
  ++generation_;
}

void BlockedKeys::settle(uint64_t key, uint64_t on_their_way) {
  const auto found = keys_.find(key);
  OUTBOX_ASSERT(found != keys_.end() && found->second.open > 0);
  OUTBOX_ASSERT(found->second.on_their_way >= on_their_way);
  found->second.on_their_way -= on_their_way;
  if (--found->second.open == 0) keys_.erase(found);
  ++generation_;
}

}  // namespace outbox::flow
