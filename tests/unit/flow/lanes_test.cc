#include "relay/flow/lanes.h"

#include <gtest/gtest.h>

#include <vector>

namespace outbox::flow {
namespace {

using core::Admission;
using core::Ticket;

class LanesTest : public testing::Test {
 protected:
  static Ticket ticket(uint64_t index) { return Ticket{core::StreamId{0}, index}; }

  void add(uint64_t key, uint64_t index) { lanes_.add(key, ticket(index)); }

  // Offers all, answering for each index; returns the indexes that were tried, in order.
  template <typename Answer>
  std::vector<uint64_t> offer(Answer&& answer) {
    std::vector<uint64_t> tried;
    last_ = lanes_.offer([&](Ticket offered) {
      tried.push_back(offered.index);
      return answer(offered.index);
    });
    return tried;
  }

  Lanes lanes_;
  Admission last_ = Admission::admitted;
};

TEST_F(LanesTest, KnowOnlyKeysThatAreNotFree) {
  EXPECT_TRUE(lanes_.empty());
  EXPECT_FALSE(lanes_.holds(1));
  add(1, 10);
  EXPECT_TRUE(lanes_.holds(1));
  EXPECT_FALSE(lanes_.holds(2));
  EXPECT_EQ(lanes_.size(), 1U);
}

TEST_F(LanesTest, AKeyIsFreeAgainOnceAllItsCellsWereAdmitted) {
  add(1, 10);
  add(1, 11);
  EXPECT_EQ(offer([](uint64_t) { return Admission::admitted; }), (std::vector<uint64_t>{10, 11}));
  EXPECT_TRUE(lanes_.empty());
  EXPECT_FALSE(lanes_.holds(1));
}

TEST_F(LanesTest, InsideAKeyTheOrderIsKeptInvariant3) {
  add(1, 10);
  add(1, 11);
  add(1, 12);
  const auto until_12 = [](uint64_t index) {
    return index == 12 ? Admission::wait : Admission::admitted;
  };
  EXPECT_EQ(offer(until_12), (std::vector<uint64_t>{10, 11, 12}));
  EXPECT_TRUE(lanes_.holds(1));
  EXPECT_EQ(offer(until_12), (std::vector<uint64_t>{12}));
}

TEST_F(LanesTest, AWaitingKeyDoesNotHoldUpAnotherOne) {
  add(1, 10);
  add(1, 11);
  add(2, 12);
  EXPECT_EQ(
      offer([](uint64_t index) { return index == 10 ? Admission::wait : Admission::admitted; }),
      (std::vector<uint64_t>{10, 12}));
  EXPECT_EQ(last_, Admission::admitted);
  EXPECT_TRUE(lanes_.holds(1));
  EXPECT_FALSE(lanes_.holds(2));
}

TEST_F(LanesTest, AFullSinkEndsTheRoundAndNothingIsForgotten) {
  add(1, 10);
  add(2, 11);
  add(3, 12);
  EXPECT_EQ(
      offer([](uint64_t index) { return index == 11 ? Admission::full : Admission::admitted; }),
      (std::vector<uint64_t>{10, 11}));
  EXPECT_EQ(last_, Admission::full);
  EXPECT_FALSE(lanes_.holds(1));
  EXPECT_EQ(offer([](uint64_t) { return Admission::admitted; }), (std::vector<uint64_t>{11, 12}));
}

TEST_F(LanesTest, RoundsBeginWithTheOldestLane) {
  for (const uint64_t key : {9, 4, 7}) add(key, key);
  EXPECT_EQ(offer([](uint64_t) { return Admission::wait; }), (std::vector<uint64_t>{9, 4, 7}));
  add(4, 40);
  EXPECT_EQ(offer([](uint64_t) { return Admission::admitted; }),
            (std::vector<uint64_t>{9, 4, 40, 7}));
}

TEST_F(LanesTest, DissolvingReleasesEveryCellAndFreesEveryKey) {
  add(1, 10);
  add(2, 11);
  add(1, 12);
  std::vector<uint64_t> released;
  lanes_.dissolve([&](Ticket cell) { released.push_back(cell.index); });
  EXPECT_EQ(released, (std::vector<uint64_t>{10, 12, 11}));
  EXPECT_TRUE(lanes_.empty());
  EXPECT_FALSE(lanes_.holds(1));
}

}  // namespace
}  // namespace outbox::flow
