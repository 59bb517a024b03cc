#pragma once
// Lanes: the keys that are not free. While every key is free nothing is hashed and nothing is
// stored here. A key becomes a lane when its event was answered `wait`; later events of that key
// queue behind it, events of other keys pass (invariant 3). An event without a key has a lane of
// its own: no order is promised among its like.
//
// Pure; owned by a Pipeline. Bounded by the windows' cells: every entry is a cell.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "relay/core/position.h"
#include "relay/core/sink.h"

namespace outbox::flow {

class Lanes {
 public:
  bool empty() const { return order_.empty(); }
  size_t size() const { return order_.size(); }
  bool holds(uint64_t key) const { return lanes_.contains(key); }

  /// Queues a cell behind what its key already waits for.
  void add(uint64_t key, core::Ticket ticket);

  /// Offers the waiting cells, oldest lane first, each lane in order, by calling `submit(Ticket) ->
  /// core::Admission`: admitted goes on with the same lane, wait with the next lane, full ends the
  /// round (and is returned).
  template <typename Submit>
  core::Admission offer(Submit&& submit);

  /// Frees all keys at once: the pipeline goes back and submits again in order. Calls
  /// `release(Ticket)` for every cell.
  template <typename Release>
  void dissolve(Release&& release);

 private:
  std::unordered_map<uint64_t, std::deque<core::Ticket>> lanes_;
  std::vector<uint64_t>
      order_;  // keys, oldest lane first, so that rounds are fair and the same in every run
};

template <typename Submit>
core::Admission Lanes::offer(Submit&& submit) {
  core::Admission answer = core::Admission::admitted;
  size_t kept = 0;
  for (size_t at = 0; at < order_.size(); ++at) {
    const uint64_t key = order_[at];
    auto& lane = lanes_.at(key);
    while (answer != core::Admission::full && !lane.empty()) {
      answer = submit(lane.front());
      if (answer != core::Admission::admitted) break;
      lane.pop_front();
    }
    if (lane.empty()) {
      lanes_.erase(key);
    } else {
      order_[kept++] = key;
    }
    if (answer == core::Admission::wait) answer = core::Admission::admitted;
  }
  order_.resize(kept);
  return answer;
}

template <typename Release>
void Lanes::dissolve(Release&& release) {
  for (const uint64_t key : order_) {
    for (const core::Ticket ticket : lanes_.at(key)) release(ticket);
  }
  lanes_.clear();
  order_.clear();
}

}  // namespace outbox::flow
