#pragma once
// What the journal and the replay of letters are told by the wiring; plain values.

#include <cstdint>
#include <vector>

#include "relay/core/clock.h"

namespace outbox::postgres {

/// How a held key is tried again: after up to `first`, up to twice that the next time and so on,
/// each time drawn at random between nothing and the limit. Past `attempts_max` tries, or `give_up`
/// after the refusal, it is parked.
struct HoldPolicy {
  core::Duration first = std::chrono::seconds(1);
  core::Duration most = std::chrono::minutes(5);
  uint32_t attempts_max = 100;
  core::Duration give_up = std::chrono::hours(24);
};

/// One for each route, in the Router's order.
using HoldPolicies = std::vector<HoldPolicy>;

}  // namespace outbox::postgres
