#include "relay/core/chunk.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "relay/core/limits.h"

namespace outbox::core {
namespace {

int freed_count = 0;

void count_and_free(void* bytes) {
  ++freed_count;
  std::free(bytes);
}

TEST(ChunkTest, AppendedBytesStayWhereTheyAre) {
  ChunkPool pool;
  const ChunkRef chunk = pool.pooled();
  const std::string_view first = chunk->append("first");
  for (int i = 0; i < 1000; ++i) chunk->append("more");
  EXPECT_EQ(first, "first");
  EXPECT_EQ(chunk->room(), kChunkBytes - 5 - 4000);
}

TEST(ChunkTest, EmptyBytesTakeNoRoom) {
  ChunkPool pool;
  const ChunkRef chunk = pool.single(0);
  EXPECT_EQ(chunk->append("").size(), 0U);
  EXPECT_EQ(chunk->room(), 0U);
}

TEST(ChunkTest, ReservedMemoryIsAlignedBehindOddBytes) {
  ChunkPool pool;
  const ChunkRef chunk = pool.pooled();
  for (const size_t align : {2U, 4U, 8U, 16U}) {
    chunk->append("x");
    const auto address = reinterpret_cast<uintptr_t>(chunk->reserve(24, align));
    EXPECT_EQ(address % align, 0U);
  }
}

TEST(ChunkTest, MoreThanTheRoomIsOurOwnBug) {
  ChunkPool pool;
  const ChunkRef chunk = pool.single(4);
  EXPECT_DEATH(chunk->append("12345"), "assertion failed");
  EXPECT_DEATH(chunk->reserve(5, 1), "assertion failed");
}

TEST(ChunkPoolTest, CountsTheBytesThatSomebodyHolds) {
  ChunkPool pool;
  EXPECT_EQ(pool.held_bytes(), 0U);
  ChunkRef one = pool.pooled();
  ChunkRef other = pool.single(100);
  EXPECT_EQ(pool.held_bytes(), kChunkBytes + 100);
  one.reset();
  EXPECT_EQ(pool.held_bytes(), 100U);
  other.reset();
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPoolTest, AChunkLivesUntilItsLastHolderLetsGo) {
  ChunkPool pool;
  ChunkRef first = pool.pooled();
  const std::string_view bytes = first->append("still here");
  ChunkRef second = first;
  ChunkRef third = std::move(first);
  EXPECT_FALSE(first);
  second.reset();
  EXPECT_EQ(bytes, "still here");
  EXPECT_EQ(pool.held_bytes(), kChunkBytes);
  third = ChunkRef();
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPoolTest, LettingGoTwiceIsHarmless) {
  ChunkPool pool;
  ChunkRef chunk = pool.pooled();
  chunk.reset();
  chunk.reset();
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPoolTest, AssigningAChunkToItselfKeepsIt) {
  ChunkPool pool;
  ChunkRef chunk = pool.pooled();
  const ChunkRef& same = chunk;
  chunk = same;
  EXPECT_TRUE(chunk);
  EXPECT_EQ(pool.held_bytes(), kChunkBytes);
}

TEST(ChunkPoolTest, APooledChunkIsUsedAgainEmpty) {
  ChunkPool pool;
  const char* at = nullptr;
  {
    const ChunkRef chunk = pool.pooled();
    at = chunk->append("old").data();
  }
  const ChunkRef again = pool.pooled();
  EXPECT_EQ(again->room(), kChunkBytes);
  EXPECT_EQ(again->append("new").data(), at);
}

TEST(ChunkPoolTest, HundredsOfChunksComeAndGo) {
  ChunkPool pool;
  for (int round = 0; round < 2; ++round) {
    std::vector<ChunkRef> held;
    for (int i = 0; i < 200; ++i) held.push_back(pool.pooled());
    EXPECT_EQ(pool.held_bytes(), 200 * kChunkBytes);
  }
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPoolTest, ForeignMemoryIsFreedOnceByItsOwner) {
  freed_count = 0;
  ChunkPool pool;
  {
    const ChunkRef chunk = pool.adopt(std::malloc(1000), 1000, count_and_free, 24);
    EXPECT_FALSE(chunk->shared());
    EXPECT_EQ(pool.held_bytes(), 1024U);
    EXPECT_EQ(chunk->append("own bytes beside").size(), 16U);
    const ChunkRef copy = chunk;
  }
  EXPECT_EQ(freed_count, 1);
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPoolTest, OnlyPooledChunksAreShared) {
  ChunkPool pool;
  EXPECT_TRUE(pool.pooled()->shared());
  EXPECT_FALSE(pool.single(10)->shared());
}

TEST(ChunkPoolTest, APoolThatEndsBeforeItsChunksIsOurOwnBug) {
  EXPECT_DEATH(
      {
        ChunkRef outlives;
        ChunkPool pool;
        outlives = pool.pooled();
      },
      "assertion failed");
}

}  // namespace
}  // namespace outbox::core
