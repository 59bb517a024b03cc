// When the loop must wake up, and when it must not: no busy loop, no forgotten work. The world's
// run() steps only as the runner would, so each other test shows the second half as well.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

using PipelineWakeTest = PipelineTest;

TEST_F(PipelineWakeTest, AnIdlePipelineSleepsUntilSomethingComes) {
  const auto next = step();
  EXPECT_FALSE(next->did_work);
  EXPECT_EQ(next->wake_at, core::kNever);
}

TEST_F(PipelineWakeTest, ASettledPipelineSleepsUntilSomethingComes) {
  commit(100, {event(1)});
  world_->run_for(seconds(10));
  const auto next = step();
  EXPECT_FALSE(next->did_work);
  EXPECT_EQ(next->wake_at, core::kNever);
}

TEST_F(PipelineWakeTest, WorkIsWorkOnceNotForEver) {
  sink().cork();
  commit(100, {event(1)});
  EXPECT_TRUE(step()->did_work);
  EXPECT_FALSE(step()->did_work) << "waits for the sink";
  sink().uncork();
  run();
}

TEST_F(PipelineWakeTest, ASaveThatIsNotDueYetSetsTheAlarm) {
  commit(100, {event(1)});
  run();
  commit(110, {event(2)});
  run();
  const core::Instant now = world_->clock.now().instant;
  const auto next = step();
  EXPECT_FALSE(next->did_work);
  EXPECT_EQ(next->wake_at, now + options_.pipeline.progress_interval);
}

TEST_F(PipelineWakeTest, ASaveUnderWaySetsNoAlarmSinceItReportsItself) {
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)});
  run();
  commit(110, {event(2)});
  run();
  advance(seconds(10));
  const auto next = step();
  EXPECT_FALSE(next->did_work);
  EXPECT_EQ(next->wake_at, core::kNever);
}

TEST_F(PipelineWakeTest, ARetrySetsTheAlarmForItsEnd) {
  sink().cork();
  commit(100, {event(1)});
  run();
  sink().fail(held(sink(), 1), {"TIMED_OUT", ""});
  step();
  const core::Instant now = world_->clock.now().instant;
  const auto next = step();
  EXPECT_GT(next->wake_at, now);
  EXPECT_LE(next->wake_at, now + options_.pipeline.retry_first);
  world_->clock.advance_to(next->wake_at);
  step();
  EXPECT_EQ(outside(), (Numbers{1}));
  sink().uncork();
  run();
}

TEST_F(PipelineWakeTest, AJournalRetrySetsTheAlarmForItsEnd) {
  EventSpec unroutable = event(1);
  unroutable.aggregate_type = "no topic";
  commit(100, {unroutable}, Fate::dead_letter);
  journal().cork();
  run();
  journal().fail(held(journal(), 1), {"TIMED_OUT", ""});
  run();
  const auto next = step();
  ASSERT_NE(next->wake_at, core::kNever);
  world_->clock.advance_to(next->wake_at);
  step();
  EXPECT_EQ(numbers_outside(journal()), (Numbers{1}));
  journal().uncork();
  run();
}

TEST_F(PipelineWakeTest, WithoutTheLeaseTheLoopDoesNotSpin) {
  world_->lose_lease();
  commit(100, {event(1)});
  run();
  const auto next = step();
  EXPECT_FALSE(next->did_work);
}

TEST_F(PipelineWakeTest, AWaitingLaneIsTriedOnlyWhenSomethingChanged) {
  sink().hold_key("slow");
  commit(100, {event(1, "slow"), event(2, "slow")});
  run();
  const uint64_t calls = sink().submit_calls();
  EXPECT_EQ(calls, 1U);
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(sink().submit_calls(), calls);
  sink().free_key("slow");
  run();
  EXPECT_EQ(sink().submit_calls(), calls + 2);
}

TEST_F(PipelineWakeTest, AFullSinkIsTriedOnceAStep) {
  sink().limit(0);
  commit(100, {event(1), event(2), event(3)});
  run();
  const uint64_t calls = sink().submit_calls();
  step();
  EXPECT_EQ(sink().submit_calls(), calls + 1);
  sink().limit(10);
  step();
  run();
  EXPECT_EQ(landed(), (Numbers{1, 2, 3}));
}

}  // namespace
}  // namespace outbox::flow
