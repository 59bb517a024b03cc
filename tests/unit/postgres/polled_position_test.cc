// What is saved of rows that are polled while a slot is waited for: their number, no LSN.

#include "connectors/postgres/detail/polled_position.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

constexpr core::Lsn kSince{1000};

core::Progress progress(core::Position boundary, core::Position settled) {
  return {core::StreamId{0}, boundary, settled};
}

TEST(PolledPositionTest, BoundariesOfTheWalAreNone) {
  EXPECT_EQ(polled_number(progress({}, {})), std::nullopt);
  EXPECT_EQ(polled_number(progress({1000, 0}, {900, 4})), std::nullopt);
  EXPECT_FALSE(is_polled_boundary({1000, 0}));
}

TEST(PolledPositionTest, ABoundarySaysItsNumberTheFirstOneIsZero) {
  EXPECT_EQ(polled_number(progress(polled_position(kSince, 7), {900, 4})), 7U);
  EXPECT_EQ(polled_number(progress(polled_position(kSince, 0), {900, 4})), 0U);
}

TEST(PolledPositionTest, ARowBehindTheBoundaryIsAsGoodAnEnd) {
  const core::Position boundary = polled_position(kSince, 7);
  EXPECT_EQ(polled_number(progress(boundary, polled_position(kSince, 9))), 9U);
  EXPECT_EQ(polled_number(progress(boundary, polled_position(kSince, 5))), 7U);
}

TEST(PolledPositionTest, ARefilledRowProvesNoNumber) {
  EXPECT_EQ(polled_number(progress(polled_position(kSince, 7), {1999, 500})), 7U);
}

TEST(PolledPositionTest, PositionsFollowTheNumbersBetweenTheWalOfBeforeAndTheNewSlot) {
  EXPECT_GT(polled_position(kSince, 0), (core::Position{kSince.value, 0}));
  EXPECT_LT(polled_position(kSince, 7), polled_position(kSince, 8));
  EXPECT_LT(polled_position(kSince, 1'000'000), (core::Position{kSince.value + 31, 1}));
}

}  // namespace
}  // namespace outbox::postgres
