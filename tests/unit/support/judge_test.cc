// A judge that cannot condemn proves nothing: each crime of the invariants is committed here once,
// by hand, and the judge must name it.
#include "tests/support/judge.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace outbox::support {
namespace {

using core::Position;

class JudgeTest : public testing::Test {
 protected:
  JudgeTest() { judge_.process_started(1); }
  ~JudgeTest() override { maker_.let_go(); }

  // Event `number` of key "k", in a transaction of its own at 100 * number.
  void commit(uint64_t number, Fate fate = Fate::deliver) {
    EventSpec spec;
    spec.number = number;
    spec.key = "k";
    spec.payload = "right";
    spec.position = {100 * number, 1};
    specs_.push_back(spec);
    judge_.committed({}, specs_.back(), "topic", fate);
    judge_.boundary({}, end_of(number));
  }

  static Position end_of(uint64_t number) { return {100 * number + 10, 0}; }

  core::Delivery delivery(const EventSpec& spec, core::Purpose purpose = core::Purpose::deliver) {
    items_.push_back(maker_.make(spec));
    core::Delivery made;
    made.event = &items_.back().event;
    made.epoch = 1;
    made.purpose = purpose;
    made.cause = purpose == core::Purpose::dead_letter ? &cause_ : nullptr;
    return made;
  }
  core::Delivery delivery(uint64_t number, core::Purpose purpose = core::Purpose::deliver) {
    return delivery(specs_.at(number - 1), purpose);
  }

  void submit(uint64_t number) { judge_.submitted(delivery(number), core::Admission::admitted); }
  void land(uint64_t number) { judge_.landed(delivery(number)); }
  void save(Position boundary, Position settled) {
    judge_.save_started({{}, boundary, settled}, 1);
    judge_.saved({{}, boundary, settled});
  }
  void save_all(uint64_t number) { save(end_of(number), {100 * number, 1}); }
  void confirm(Position low) { judge_.confirmed({{}, low}); }

  void expect_invariant(int invariant) {
    EXPECT_EQ(judge_.violation().substr(0, 12), "invariant " + std::to_string(invariant) + ":")
        << judge_.violation();
  }

  EventMaker maker_;
  std::deque<EventSpec> specs_;
  std::deque<core::Item> items_;
  core::Cause cause_{"CAUSE", ""};
  Judge judge_{1};
};

TEST_F(JudgeTest, AcquitsWhoDeliversSavesAndConfirmsInOrder) {
  for (const uint64_t number : {1, 2, 3}) {
    commit(number);
    submit(number);
    land(number);
    save_all(number);
    confirm(end_of(number));
  }
  judge_.at_rest();
  EXPECT_EQ(judge_.violation(), "");
}

TEST_F(JudgeTest, AcquitsWhoGoesBackAndRepeats) {
  for (const uint64_t number : {1, 2, 3}) commit(number);
  for (const uint64_t number : {1, 2, 3, 2, 3, 1, 2, 3}) land(number);
  save_all(3);
  confirm(end_of(3));
  judge_.at_rest();
  EXPECT_EQ(judge_.violation(), "");
  EXPECT_EQ(judge_.duplicates(), 5U);
}

TEST_F(JudgeTest, NamesALossAtRest) {
  commit(1);
  judge_.at_rest();
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesAConfirmedLoss) {
  commit(1);
  judge_.saved({{}, end_of(1), {}});
  confirm(end_of(1));
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesProgressThatNobodyOwns) {
  commit(1);
  save({}, {100, 1});
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesADeadLetterThatOughtToBeDelivered) {
  commit(1);
  judge_.landed(delivery(1, core::Purpose::dead_letter));
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesADeadLetterWithoutACause) {
  commit(1, Fate::dead_letter);
  core::Delivery dead = delivery(1, core::Purpose::dead_letter);
  dead.cause = nullptr;
  judge_.landed(dead);
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesASkippedEventThatIsDelivered) {
  commit(1, Fate::skip);
  land(1);
  expect_invariant(1);
}

TEST_F(JudgeTest, NamesAGhost) {
  EventSpec ghost;
  ghost.number = 7;
  judge_.landed(delivery(ghost));
  expect_invariant(2);
}

TEST_F(JudgeTest, NamesAnOvertaking) {
  commit(1);
  commit(2);
  land(2);
  expect_invariant(3);
}

TEST_F(JudgeTest, NamesAGapAfterGoingBack) {
  for (const uint64_t number : {1, 2, 3}) commit(number);
  for (const uint64_t number : {1, 2, 3, 1, 3}) land(number);
  expect_invariant(3);
}

TEST_F(JudgeTest, NamesAKeyThatEndsWithAnOldRecord) {
  for (const uint64_t number : {1, 2}) commit(number);
  for (const uint64_t number : {1, 2, 1}) land(number);
  judge_.at_rest();
  expect_invariant(3);
}

TEST_F(JudgeTest, NamesDeadLettersOutOfOrder) {
  commit(1, Fate::dead_letter);
  commit(2, Fate::dead_letter);
  judge_.landed(delivery(2, core::Purpose::dead_letter));
  expect_invariant(3);
}

TEST_F(JudgeTest, NamesOtherBytes) {
  commit(1);
  EventSpec wrong = specs_[0];
  wrong.payload = "wrong";
  judge_.landed(delivery(wrong));
  expect_invariant(4);
}

TEST_F(JudgeTest, NamesARepeatOfWhatWasAcknowledged) {
  commit(1);
  submit(1);
  land(1);
  judge_.completed(delivery(1), core::Outcome::durable);
  submit(1);
  expect_invariant(4);
}

TEST_F(JudgeTest, AllowsTheRepeatToTheNextProcess) {
  commit(1);
  land(1);
  judge_.completed(delivery(1), core::Outcome::durable);
  judge_.process_started(1);
  submit(1);
  EXPECT_EQ(judge_.violation(), "");
}

TEST_F(JudgeTest, NamesARepeatOutsideTheUnconfirmedWindow) {
  commit(1);
  land(1);
  save_all(1);
  confirm(end_of(1));
  judge_.process_started(1);
  land(1);
  expect_invariant(4);
}

TEST_F(JudgeTest, NamesAConfirmPastWhatIsSaved) {
  commit(1);
  land(1);
  judge_.save_started({{}, end_of(1), {}}, 1);  // under way, not durable
  confirm(end_of(1));
  expect_invariant(6);
}

TEST_F(JudgeTest, NamesAConfirmInsideATransaction) {
  commit(1);
  land(1);
  save_all(1);
  confirm({100, 1});
  expect_invariant(6);
}

TEST_F(JudgeTest, NamesAnOverfullWindow) {
  judge_.holds(17, 16, 0, 100);
  expect_invariant(7);
}

TEST_F(JudgeTest, NamesAnOverdrawnBudget) {
  judge_.holds(1, 16, 101, 100);
  expect_invariant(7);
}

TEST_F(JudgeTest, NamesWhoActsWithoutTheLease) {
  commit(1);
  judge_.lease_holds(false);
  submit(1);
  expect_invariant(8);
}

TEST_F(JudgeTest, NamesASaveWithoutTheLease) {
  judge_.lease_holds(false);
  judge_.save_started({}, 1);
  expect_invariant(8);
}

TEST_F(JudgeTest, NamesAnotherRelaysEpoch) {
  commit(1);
  judge_.process_started(2);
  submit(1);
  expect_invariant(8);
}

TEST_F(JudgeTest, NamesASlotThatIsLeftBehind) {
  commit(1);
  land(1);
  judge_.at_rest();
  expect_invariant(9);
}

}  // namespace
}  // namespace outbox::support
