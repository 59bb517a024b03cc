#pragma once
// key_hash: what a key is to the lanes and to the blocked keys: the aggregate id in its
// destination, as one number. Two keys may share one; then they wait for one another, and no order
// is lost. The same within one process only.

#include <cstdint>
#include <functional>
#include <string_view>

#include "relay/core/event.h"
#include "relay/core/sink.h"

namespace outbox::flow {

/// Spreads small numbers over 64 bits (the golden ratio, as a fraction of 2^64).
inline constexpr uint64_t kHashSalt = 0x9e3779b97f4a7c15ULL;

/// `event` has a key. Without a destination (no legal topic) its route stands for it.
inline uint64_t key_hash(const core::Event& event, const core::Destination* destination,
                         uint32_t route) {
  const uint64_t place = destination != nullptr ? uint64_t{destination->id} + 1 : ~uint64_t{route};
  return std::hash<std::string_view>()(*event.aggregate_id) ^ (place * kHashSalt);
}

}  // namespace outbox::flow
