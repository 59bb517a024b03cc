// How many rows a read asks for, and what is dropped for want of room (invariant 7).

#include "connectors/postgres/detail/held_rows.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

// One read: rows of `size` bytes, as many as it asked for. Returns how many it kept.
uint64_t read(HeldRows& held, size_t size) {
  held.begin();
  uint64_t kept = 0;
  for (uint64_t row = 0; row < held.limit(); ++row) {
    if (held.full()) {
      held.drop();
    } else {
      held.add({}, size);
      ++kept;
    }
  }
  EXPECT_TRUE(held.ended());
  return kept;
}

void empty(HeldRows& held) {
  while (!held.empty()) held.take();
}

TEST(HeldRowsTest, SmallRowsComeInFullReads) {
  HeldRows held;
  EXPECT_EQ(read(held, 200), HeldRows::kRowsMost);
  EXPECT_EQ(held.limit(), HeldRows::kRowsMost);
}

TEST(HeldRowsTest, OfLargeRowsOnlyWhatHasRoomIsKeptAndTheNextReadAsksForLess) {
  HeldRows held;
  EXPECT_EQ(read(held, 512 * 1024), 4U);
  EXPECT_TRUE(held.full());
  EXPECT_EQ(held.limit(), 4U);
}

TEST(HeldRowsTest, ARowLargerThanTheBoundComesAlone) {
  HeldRows held;
  EXPECT_EQ(read(held, 32 * 1024 * 1024), 1U);
  empty(held);
  EXPECT_EQ(held.limit(), 1U);
  EXPECT_EQ(read(held, 32 * 1024 * 1024), 1U);
}

TEST(HeldRowsTest, WhenRowsAreSmallAgainReadsGrowAgain) {
  HeldRows held;
  read(held, 32 * 1024 * 1024);
  for (int round = 0; round < 12; ++round) {
    empty(held);
    read(held, 10);
  }
  EXPECT_EQ(held.limit(), HeldRows::kRowsMost);
}

TEST(HeldRowsTest, AReadThatBroughtFewerThanItAskedForWasTheLast) {
  HeldRows held;
  held.begin();
  held.add({}, 10);
  EXPECT_FALSE(held.ended());
}

}  // namespace
}  // namespace outbox::postgres
