#include "connectors/postgres/detail/shard_share.h"

#include <algorithm>
#include <iterator>

namespace outbox::postgres {

void ShardShare::lost() {
  held_.clear();
  draining_.clear();
}

std::vector<uint32_t> ShardShare::observe(const std::vector<ShardLock>& locks) {
  std::set<uint32_t> taken;
  uint32_t relays = 0;
  for (const ShardLock& lock : locks) {
    if (lock.object < shards_) taken.insert(lock.object);
    if (lock.object == kMembers + shards_) ++relays;
  }
  relays_ = std::max(relays, 1U);
  const size_t share = (shards_ + relays_ - 1) / relays_;

  // A relay that left in between makes what was being given away ours again.
  size_t kept = held_.size() - draining_.size();
  while (kept < share && !draining_.empty()) {
    draining_.erase(draining_.begin());
    ++kept;
  }
  for (auto shard = held_.rbegin(); shard != held_.rend() && kept > share; ++shard) {
    if (draining_.insert(*shard).second) --kept;
  }
  std::vector<uint32_t> wanted;
  for (uint32_t shard = 0; shard < shards_ && kept + wanted.size() < share; ++shard) {
    if (!taken.contains(shard)) wanted.push_back(shard);
  }
  return wanted;
}

void ShardShare::released(uint32_t shard) {
  held_.erase(shard);
  draining_.erase(shard);
}

std::set<uint32_t> ShardShare::readable() const {
  std::set<uint32_t> readable;
  std::set_difference(held_.begin(), held_.end(), draining_.begin(), draining_.end(),
                      std::inserter(readable, readable.end()));
  return readable;
}

std::string ShardShare::text() const {
  return "holds " + std::to_string(held_.size()) + " of " + std::to_string(shards_) +
         (shards_ == 1 ? " shard" : " shards") +
         (relays_ == 1 ? "" : ", " + std::to_string(relays_) + " relays share them");
}

std::string ShardShare::take_news() {
  if (!draining_.empty() || text() == told_) return "";
  return told_ = text();
}

uint32_t other_division(const std::vector<ShardLock>& locks, uint32_t shards) {
  for (const ShardLock& lock : locks) {
    if (lock.object > kMembers && lock.object != kMembers + shards) return lock.object - kMembers;
  }
  return 0;
}

}  // namespace outbox::postgres
