#include "relay/core/backoff.h"

#include <algorithm>

#include "relay/core/assert.h"

namespace outbox::core {

uint64_t Random::next() {
  uint64_t mixed = (state_ += 0x9e3779b97f4a7c15ULL);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

Backoff::Backoff(Duration first, Duration most, uint64_t seed)
    : first_(first), most_(most), random_(seed) {
  OUTBOX_ASSERT(first.count() > 0 && first <= most);
}

Duration Backoff::limit() const {
  const uint32_t doublings = std::min<uint32_t>(failures_, 20);
  return std::min(most_, first_ * (int64_t{1} << doublings));
}

Duration Backoff::after_failure() {
  const auto bound = static_cast<uint64_t>(limit().count());
  ++failures_;
  return Duration(static_cast<int64_t>(random_.below(bound) + 1));
}

}  // namespace outbox::core
