#include "connectors/postgres/detail/backoff.h"

#include <algorithm>

namespace outbox::postgres {

core::Duration Backoff::after_failure(Trouble trouble) {
  const uint32_t doublings = std::min<uint32_t>(failures_++, 10);
  const core::Duration limit = std::min(kLastLimit, kFirstLimit * (1 << doublings));
  switch (trouble) {
    case Trouble::access:
      return kAccessDelay + draw(kSlotDelay);
    case Trouble::slot_active:
      return std::min(kSlotDelay, limit * 2);  // its last holder may be ending at this moment
    default:
      return draw(limit);
  }
}

core::Duration Backoff::after_loss(core::Duration lived) {
  if (lived < kHealthyAfter) return after_failure(Trouble::passing);
  failures_ = 0;
  return core::Duration::zero();
}

// splitmix64: small, and good enough to keep relays apart.
core::Duration Backoff::draw(core::Duration limit) {
  state_ += 0x9e3779b97f4a7c15U;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  z ^= z >> 31;
  return core::Duration(static_cast<int64_t>(z % static_cast<uint64_t>(limit.count() + 1)));
}

}  // namespace outbox::postgres
