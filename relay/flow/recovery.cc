#include "relay/flow/recovery.h"

#include "relay/core/assert.h"

namespace outbox::flow {
namespace {

constexpr uint64_t kDeliveredForOneRefused = 9;

}  // namespace

Recovery::Recovery(std::vector<core::Duration> after) {
  for (const core::Duration each : after) routes_.push_back({each, std::nullopt, {}});
}

std::vector<uint32_t> Recovery::look(core::Instant now, bool healthy,
                                     std::span<const Counted> routes) {
  OUTBOX_ASSERT(routes.size() >= routes_.size());
  std::vector<uint32_t> due;
  for (uint32_t index = 0; index < routes_.size(); ++index) {
    Route& route = routes_[index];
    if (route.after == core::Duration::zero()) continue;
    if (!healthy) {
      route.healthy_since.reset();
      continue;
    }
    const Counted& counted = routes[index];
    if (route.healthy_since && now - *route.healthy_since < route.after) continue;
    if (route.healthy_since) {
      const uint64_t refused = counted.refused - route.then.refused;
      const uint64_t delivered = counted.delivered - route.then.delivered;
      if (refused * kDeliveredForOneRefused <= delivered) due.push_back(index);
    }
    route.healthy_since = now;
    route.then = counted;
  }
  return due;
}

}  // namespace outbox::flow
