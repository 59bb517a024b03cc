// Keys with letters: blocked until the last is delivered, draining while all are on their way.
#include "relay/flow/blocked_keys.h"

#include <gtest/gtest.h>

namespace outbox::flow {
namespace {

using Passage = BlockedKeys::Passage;

constexpr uint64_t kKey = 7;
constexpr core::Ticket kCell{core::StreamId{0}, 100};

TEST(BlockedKeysTest, EveryKeyIsFreeAtFirst) {
  const BlockedKeys keys;
  EXPECT_TRUE(keys.empty());
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::free);
}

TEST(BlockedKeysTest, ALetterBlocksItsKeyAndNoOther) {
  BlockedKeys keys;
  keys.add(kKey, 1);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::blocked);
  EXPECT_EQ(keys.passage(kKey + 1, kCell), Passage::free);
}

TEST(BlockedKeysTest, WhatLiesBeforeTheFirstLetterOfItsKeyPasses) {
  BlockedKeys keys;
  keys.add(kKey, 1, core::Ticket{kCell.stream, 101});
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::free);
  EXPECT_EQ(keys.passage(kKey, {kCell.stream, 102}), Passage::blocked);
  EXPECT_EQ(keys.passage(kKey, {core::StreamId{1}, 100}), Passage::blocked);
}

TEST(BlockedKeysTest, NothingPassesALetterOfAnEarlierProcess) {
  BlockedKeys keys;
  keys.add(kKey, 1);
  keys.add(kKey, 1, core::Ticket{kCell.stream, 101});
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::blocked);
}

TEST(BlockedKeysTest, AKeyDrainsOnlyWhileAllItsLettersAreOnTheirWay) {
  BlockedKeys keys;
  keys.add(kKey, 2);
  keys.replay_begins(kKey);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::blocked);
  keys.replay_begins(kKey);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::draining);
  keys.add(kKey, 1);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::blocked);
}

TEST(BlockedKeysTest, TheLastDeliveryFreesTheKey) {
  BlockedKeys keys;
  keys.add(kKey, 2);
  keys.replay_begins(kKey);
  keys.replay_begins(kKey);
  keys.replay_delivered(kKey);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::draining);
  keys.replay_delivered(kKey);
  EXPECT_TRUE(keys.empty());
}

TEST(BlockedKeysTest, ALetterThatIsPutBackBlocksAgainAndWakesThoseWhoWait) {
  BlockedKeys keys;
  keys.add(kKey, 1);
  keys.replay_begins(kKey);
  const uint64_t before = keys.generation();
  keys.replay_put_back(kKey);
  EXPECT_EQ(keys.passage(kKey, kCell), Passage::blocked);
  EXPECT_GT(keys.generation(), before);
}

TEST(BlockedKeysTest, ALetterThatAnEarlierProcessWroteIsNotCountedTwice) {
  BlockedKeys keys;
  keys.add(kKey, 1);  // named at the start
  keys.add(kKey, 1);  // handed out again
  keys.forget(kKey);
  keys.replay_begins(kKey);
  keys.replay_delivered(kKey);
  EXPECT_TRUE(keys.empty());
}

TEST(BlockedKeysTest, ItIsFullAtItsBound) {
  BlockedKeys keys;
  for (uint64_t key = 0; key < kBlockedKeysMax; ++key) {
    EXPECT_FALSE(keys.full());
    keys.add(key, 1);
  }
  EXPECT_TRUE(keys.full());
}

}  // namespace
}  // namespace outbox::flow
