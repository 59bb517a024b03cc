#pragma once
// ShardShare: which shards a relay should take and which it should give away, so that all relays of
// a pipeline hold about as many. Pure: told who holds what, it says what to do; the locks are the
// session's.
//
// A relay may hold ceil(shards / relays). Above that it drains the rest: reads no more of them, and
// lets go once every row of them is marked. Below, it takes what is free. So a shard never has two
// readers, and its keys stay in order when it moves.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace outbox::postgres {

/// One advisory lock of this pipeline.
struct ShardLock {
  uint32_t object = 0;
  bool ours = false;
};

/// Lock objects from here on are no shards: each relay holds (kMembers + its number of shards),
/// shared, which tells how many relays there are and that they divide the keys alike.
inline constexpr uint32_t kMembers = 1'000'000;

class ShardShare {
 public:
  explicit ShardShare(uint32_t shards) : shards_(shards) {}

  /// The session was lost, and with it every lock.
  void lost();

  /// What the server's lock table says now: drains what is too much, and returns what to try to
  /// take.
  std::vector<uint32_t> observe(const std::vector<ShardLock>& locks);

  void took(uint32_t shard) { held_.insert(shard); }
  void released(uint32_t shard);

  /// Shards to read, and shards to let go once nothing of them is open.
  std::set<uint32_t> readable() const;
  const std::set<uint32_t>& draining() const { return draining_; }

  size_t held() const { return held_.size(); }

  /// "holds 4 of 8 shards, 2 relays share them"
  std::string text() const;

  /// The same, if it is news: empty if it was told, and while shards move one by one.
  std::string take_news();

 private:
  uint32_t shards_;
  uint32_t relays_ = 1;
  std::set<uint32_t> held_;  // the draining ones among them
  std::set<uint32_t> draining_;
  std::string told_;
};

/// The number of shards that another relay of this pipeline works with, if it is not `shards`; 0
/// otherwise.
uint32_t other_division(const std::vector<ShardLock>& locks, uint32_t shards);

}  // namespace outbox::postgres
