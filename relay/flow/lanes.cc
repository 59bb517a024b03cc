#include "relay/flow/lanes.h"

namespace outbox::flow {

void Lanes::add(uint64_t key, core::Ticket ticket) {
  auto [lane, added] = lanes_.try_emplace(key);
  if (added) order_.push_back(key);
  lane->second.push_back(ticket);
}

}  // namespace outbox::flow
