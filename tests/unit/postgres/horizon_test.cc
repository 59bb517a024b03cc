// The horizon of a poll: whom it waits for, and whom not. Each test is a schedule of sequence
// values and lock holders as polls would see them.

#include "connectors/postgres/detail/horizon.h"

#include <gtest/gtest.h>

#include <vector>

#include "connectors/postgres/detail/poll_pace.h"

namespace outbox::postgres {
namespace {

using std::chrono::milliseconds;

Holder writer(const std::string& transaction) { return {transaction, false, transaction}; }
Holder renamed(const std::string& xid) { return {"-1/" + xid, true, "prepared"}; }

class HorizonTest : public testing::Test {
 protected:
  uint64_t poll(uint64_t last_value, const std::vector<Holder>& holders = {}) {
    return horizon_.observe(last_value, holders);
  }
  Horizon horizon_;
};

TEST_F(HorizonTest, WithoutWritersItIsTheSequencesLastValue) {
  EXPECT_EQ(poll(7), 7U);
  EXPECT_EQ(poll(9), 9U);
  EXPECT_TRUE(horizon_.held_back_by().empty());
}

TEST_F(HorizonTest, AWriterThatIsNewHoldsBackWhatCameSinceTheLastPoll) {
  poll(10);
  EXPECT_EQ(poll(25, {writer("3/1")}), 10U);
  EXPECT_EQ(horizon_.held_back_by(), "3/1");
}

TEST_F(HorizonTest, AWriterThatStaysKeepsItsBoundWhileOthersCommitBehindIt) {
  poll(10);
  poll(25, {writer("3/1")});
  EXPECT_EQ(poll(90, {writer("3/1"), writer("4/1")}), 10U);
  EXPECT_EQ(poll(95, {writer("4/1")}), 25U);
  EXPECT_EQ(poll(99), 99U);
}

TEST_F(HorizonTest, AStrangerWhoHoldsNothingIsNotWaitedFor) {
  poll(10);
  EXPECT_EQ(poll(1'000), 1'000U);
}

TEST_F(HorizonTest, APreparedTransactionThatKeepsItsNameKeepsItsBound) {
  poll(10);
  poll(25, {writer("3/1")});
  EXPECT_EQ(poll(90, {writer("3/1")}), 10U);
}

TEST_F(HorizonTest, APreparedTransactionThatIsNewHoldsBackOnlyWhatCameSinceTheLastPoll) {
  for (uint64_t last = 100; last < 1'000; last += 100) {
    EXPECT_EQ(poll(last, {writer("3/" + std::to_string(last))}), last - 100);
  }
}

TEST_F(HorizonTest, APreparedTransactionUnderAnotherNameIsNotTakenForANewOne) {
  poll(10);
  poll(25, {writer("3/1")});  // it has a number between 11 and 25
  EXPECT_EQ(poll(90, {renamed("777")}), 10U);
  EXPECT_EQ(poll(95, {renamed("777")}), 10U);
  EXPECT_EQ(poll(99), 99U);
}

TEST_F(HorizonTest, AfterAReconnectNobodyIsKnownAndTheSavedHorizonBinds) {
  horizon_.begin(40);
  EXPECT_EQ(poll(90, {writer("3/1"), renamed("777")}), 40U);
  EXPECT_EQ(poll(95, {writer("3/1")}), 40U);
  EXPECT_EQ(poll(95), 95U);
}

TEST_F(HorizonTest, ALockThatWasGivenBackAndTakenAgainIsANewOne) {
  poll(10);
  poll(20, {writer("3/1")});
  EXPECT_EQ(poll(30), 30U);  // its savepoint was rolled back
  EXPECT_EQ(poll(50, {writer("3/1")}), 30U);
}

TEST_F(HorizonTest, ItNeverMovesBack) {
  poll(50);
  EXPECT_EQ(poll(50, {renamed("1")}), 50U);
  EXPECT_EQ(poll(60, {renamed("1")}), 50U);
}

TEST_F(HorizonTest, TheOldestHolderIsNamed) {
  poll(10);
  poll(20, {writer("3/1")});
  poll(30, {writer("4/1"), writer("3/1")});
  EXPECT_EQ(horizon_.held_back_by(), "3/1");
}

TEST(PollPaceTest, WhileRowsComeItLooksEachMillisecond) {
  PollPace pace(milliseconds(50));
  pace.after_rows();
  EXPECT_EQ(pace.after_nothing(), milliseconds(1));
  EXPECT_EQ(pace.after_rows(), milliseconds(1));
}

TEST(PollPaceTest, WithoutRowsItLooksMoreAndMoreRarelyUpToTheLimit) {
  PollPace pace(milliseconds(50));
  for (int look = 0; look < PollPace::kPatience; ++look) pace.after_nothing();
  EXPECT_EQ(pace.after_nothing(), milliseconds(2));
  for (int look = 0; look < 10; ++look) pace.after_nothing();
  EXPECT_EQ(pace.after_nothing(), milliseconds(50));
  EXPECT_EQ(pace.after_rows(), milliseconds(1));
}

}  // namespace
}  // namespace outbox::postgres
