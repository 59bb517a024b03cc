#include "connectors/postgres/detail/horizon.h"

#include <algorithm>
#include <utility>

namespace outbox::postgres {

void Horizon::begin(uint64_t saved) {
  value_ = newest_bound_ = saved;
  bounds_.clear();
  held_back_by_.clear();
}

uint64_t Horizon::observe(uint64_t last_value, std::span<const Holder> holders) {
  std::unordered_map<std::string, uint64_t> bounds;
  uint64_t horizon = last_value;
  held_back_by_.clear();
  for (const Holder& holder : holders) {
    const auto known = bounds_.find(holder.transaction);
    const uint64_t unknown = holder.renamed ? value_ : newest_bound_;
    const uint64_t bound = known != bounds_.end() ? known->second : unknown;
    bounds.emplace(holder.transaction, bound);
    if (bound >= horizon) continue;
    horizon = bound;
    held_back_by_ = holder.who;
  }
  bounds_ = std::move(bounds);
  newest_bound_ = last_value;
  value_ = std::max(value_, horizon);
  return value_;
}

}  // namespace outbox::postgres
