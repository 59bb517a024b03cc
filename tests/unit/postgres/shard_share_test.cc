// Who takes and who gives shards away.

#include "connectors/postgres/detail/shard_share.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

using Shards = std::vector<uint32_t>;

/// The lock table with so many relays, in which `shards` are taken.
std::vector<ShardLock> locks(uint32_t division, int relays, const Shards& shards) {
  std::vector<ShardLock> all;
  for (int relay = 0; relay < relays; ++relay) all.push_back({kMembers + division, relay == 0});
  for (const uint32_t shard : shards) all.push_back({shard, true});
  return all;
}

ShardShare holding(uint32_t division, const Shards& shards) {
  ShardShare share(division);
  for (const uint32_t shard : shards) share.took(shard);
  return share;
}

TEST(ShardShareTest, OneRelayAloneTakesAllAtOnce) {
  ShardShare share(4);
  EXPECT_EQ(share.observe(locks(4, 1, {})), (Shards{0, 1, 2, 3}));
  EXPECT_EQ(share.held(), 0U);
}

TEST(ShardShareTest, TwoRelaysTakeHalfEachAndOnlyWhatIsFree) {
  ShardShare share(8);
  EXPECT_EQ(share.observe(locks(8, 2, {0, 1, 2})), (Shards{3, 4, 5, 6}));
}

TEST(ShardShareTest, ARelayDrainsWhatIsAboveItsShareAndGoesOnReadingTheRest) {
  ShardShare share = holding(4, {0, 1, 2, 3});
  EXPECT_TRUE(share.observe(locks(4, 2, {0, 1, 2, 3})).empty());
  EXPECT_EQ(share.draining(), (std::set<uint32_t>{2, 3}));
  EXPECT_EQ(share.readable(), (std::set<uint32_t>{0, 1}));
  share.released(3);
  EXPECT_TRUE(share.observe(locks(4, 2, {0, 1, 2})).empty());
  EXPECT_EQ(share.draining(), (std::set<uint32_t>{2}));
}

TEST(ShardShareTest, WhenTheOtherRelayDiesItsShardsAreTakenAndDrainingStops) {
  ShardShare share = holding(4, {0, 1, 2});
  share.observe(locks(4, 2, {0, 1, 2, 3}));
  EXPECT_EQ(share.draining(), (std::set<uint32_t>{2}));
  EXPECT_EQ(share.observe(locks(4, 1, {0, 1, 2})), (Shards{3}));
  EXPECT_TRUE(share.draining().empty());
}

TEST(ShardShareTest, MoreRelaysThanShardsLeaveSomeWithNone) {
  ShardShare share(2);
  EXPECT_TRUE(share.observe(locks(2, 3, {0, 1})).empty());
  EXPECT_TRUE(share.readable().empty());
  EXPECT_EQ(share.text(), "holds 0 of 2 shards, 3 relays share them");
}

TEST(ShardShareTest, ThreeRelaysHoldThreeThreeAndTwoOfEight) {
  ShardShare share(8);
  EXPECT_EQ(share.observe(locks(8, 3, {0, 1, 2, 3, 4})), (Shards{5, 6, 7}));
  EXPECT_EQ(share.observe(locks(8, 3, {0, 1, 2, 3, 4, 5})), (Shards{6, 7}));
}

TEST(ShardShareTest, AfterALossNothingIsHeld) {
  ShardShare share = holding(2, {0, 1});
  EXPECT_EQ(share.held(), 2U);
  share.lost();
  EXPECT_TRUE(share.readable().empty());
}

TEST(ShardShareTest, AnotherDivisionIsSeen) {
  EXPECT_EQ(other_division(locks(8, 2, {0, 7}), 8), 0U);
  std::vector<ShardLock> mixed = locks(8, 1, {});
  mixed.push_back({kMembers + 3, false});
  EXPECT_EQ(other_division(mixed, 8), 3U);
}

}  // namespace
}  // namespace outbox::postgres
