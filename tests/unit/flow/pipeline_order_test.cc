// Invariant 3: order per key, through waits, failures and refusals.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

using PipelineOrderTest = PipelineTest;

TEST_F(PipelineOrderTest, EventsGoOutInTheOrderOfTheirCommits) {
  commit(100, {event(1), event(2, "other")});
  commit(110, {event(3), event(4, std::nullopt)});
  run();
  EXPECT_EQ(landed(), (Numbers{1, 2, 3, 4}));
}

TEST_F(PipelineOrderTest, AKeyThatWaitsHoldsUpItselfOnly) {
  sink().hold_key("slow");
  commit(100, {event(1, "slow"), event(2), event(3, "slow"), event(4)});
  run();
  EXPECT_EQ(landed(), (Numbers{2, 4}));
  sink().free_key("slow");
  run();
  EXPECT_EQ(landed(), (Numbers{2, 4, 1, 3}));
}

TEST_F(PipelineOrderTest, EventsWithoutAKeyWaitEachForItself) {
  sink().topic("outbox.event.slow").state = core::DestinationState::unknown;
  EventSpec first = event(1, std::nullopt);
  first.aggregate_type = "slow";
  commit(100, {first, event(2, std::nullopt), event(3, std::nullopt)});
  run();
  EXPECT_EQ(landed(), (Numbers{2, 3}));
  sink().facts_known("outbox.event.slow");
  run();
  EXPECT_EQ(landed(), (Numbers{2, 3, 1}));
}

TEST_F(PipelineOrderTest, TheSameKeyInAnotherTopicIsAnotherLane) {
  sink().topic("outbox.event.slow").state = core::DestinationState::unknown;
  EventSpec slow = event(1);
  slow.aggregate_type = "slow";
  commit(100, {slow, event(2)});
  run();
  EXPECT_EQ(landed(), (Numbers{2}));
  sink().facts_known("outbox.event.slow");
  run();
  EXPECT_EQ(landed(), (Numbers{2, 1}));
}

TEST_F(PipelineOrderTest, ALaterEventOfAWaitingKeyNeverOvertakesIt) {
  sink().cork();
  sink().hold_key("slow");
  commit(100, {event(1, "slow")});
  run();
  commit(110, {event(2, "slow"), event(3)});
  run();
  sink().free_key("slow");
  commit(120, {event(4, "slow")});
  run();
  EXPECT_EQ(outside(), (Numbers{3, 1, 2, 4}));
  sink().uncork();
  run();
}

// What ended the wait may come to light while the answer is given: the lane must not sleep on.
TEST_F(PipelineOrderTest, AWaitThatEndsWhileItIsAnsweredIsNotMissed) {
  sink().hold_key("slow");
  sink().free_keys_while_answering();
  commit(100, {event(1, "slow"), event(2, "slow")});
  run();
  EXPECT_EQ(landed(), (Numbers{1, 2}));
}

TEST_F(PipelineOrderTest, AFullSinkDoesNotForgetTheLanesItDidNotReach) {
  sink().cork();
  for (const char* key : {"a", "b", "c"}) sink().hold_key(key);
  commit(100, {event(1, "a"), event(2, "b"), event(3, "c")});
  run();
  sink().limit(1);
  for (const char* key : {"a", "b", "c"}) sink().free_key(key);
  run();
  EXPECT_EQ(outside(), (Numbers{1})) << "one lane was reached";
  for (const uint64_t number : {1, 2, 3}) {
    sink().acknowledge(held(sink(), number));
    run();
  }
  EXPECT_EQ(landed(), (Numbers{1, 2, 3}));
}

TEST_F(PipelineOrderTest, AfterAFailureTheWindowGoesBackAndSendsAgainInOrder) {
  sink().cork();
  commit(100, {event(1), event(2, "other"), event(3), event(4)});
  run();
  sink().acknowledge(held(sink(), 2));
  sink().fail(held(sink(), 1), {"TIMED_OUT", "no answer in time"});
  run();
  EXPECT_EQ(outside(), (Numbers{3, 4})) << "nothing is sent into a fence";
  sink().give_back_all();
  world_->run_for(seconds(1));
  EXPECT_EQ(outside(), (Numbers{1, 3, 4}));
  sink().uncork();
  run();
  EXPECT_EQ(landed(), (Numbers{2, 1, 3, 4}));
}

TEST_F(PipelineOrderTest, ReportsThatComeInAnyOrderGiveTheSameOrder) {
  sink().cork();
  commit(100, {event(1), event(2), event(3), event(4)});
  run();
  for (const uint64_t number : {3, 1, 4, 2}) {
    sink().give_back(held(sink(), number));
    step();
  }
  run();
  EXPECT_EQ(outside(), (Numbers{1, 2, 3, 4}));
  sink().uncork();
  run();
}

TEST_F(PipelineOrderTest, GoingBackFreesTheLanesSinceWhatComesAgainLiesBeforeThem) {
  sink().cork();
  commit(100, {event(1), event(2, "slow")});
  sink().hold_key("slow");
  run();
  EXPECT_EQ(outside(), (Numbers{1}));
  commit(110, {event(3, "slow"), event(4)});
  run();
  sink().give_back_all();
  sink().free_key("slow");
  run();
  EXPECT_EQ(outside(), (Numbers{1, 2, 3, 4}));
  sink().uncork();
  run();
}

TEST_F(PipelineOrderTest, AKeyStillWaitsAfterTheWindowWentBack) {
  sink().cork();
  sink().hold_key("slow");
  commit(100, {event(1, "slow"), event(2), event(3, "slow")});
  run();
  sink().give_back_all();
  run();
  EXPECT_EQ(outside(), (Numbers{2}));
  sink().uncork();
  run();
  EXPECT_EQ(landed(), (Numbers{2}));
  sink().free_key("slow");
  run();
  EXPECT_EQ(landed(), (Numbers{2, 1, 3}));
}

TEST_F(PipelineOrderTest, ARetryThatHadLandedIsRepeatedWithTheSameBytesInvariant4) {
  sink().cork();
  commit(100, {event(1), event(2)});
  run();
  sink().fail(held(sink(), 1), {"NETWORK", "connection reset"}, FakeSink::Landed::yes);
  sink().give_back_all();
  sink().uncork();
  world_->run_for(seconds(1));
  EXPECT_EQ(landed(), (Numbers{1, 1, 2}));
  EXPECT_EQ(sink().log()[0].payload, sink().log()[1].payload);
  EXPECT_EQ(world_->judge.duplicates(), 1U);
}

TEST_F(PipelineOrderTest, ARefusedEventLeavesItsPlaceAndTheOthersKeepTheirs) {
  sink().cork();
  commit(100, {event(1), event(2), event(3)});
  run();
  sink().refuse(held(sink(), 2), {"MSG_SIZE_TOO_LARGE", "too large"});
  sink().acknowledge(held(sink(), 1));
  sink().give_back_all();
  sink().uncork();
  run();
  EXPECT_EQ(landed(), (Numbers{1, 3}));
  EXPECT_EQ(journal().landed_numbers(), (Numbers{2}));
}

TEST_F(PipelineOrderTest, ARefusalOfItsOwnNeedsNoFence) {
  sink().cork();
  commit(100, {event(1), event(2), event(3)});
  run();
  sink().refuse(held(sink(), 1), {"MSG_SIZE_TOO_LARGE", "too large for the client"},
                FakeSink::Fence::no);
  sink().acknowledge_all();
  run();
  EXPECT_EQ(landed(), (Numbers{2, 3}));
  EXPECT_EQ(journal().landed_numbers(), (Numbers{1}));
}

TEST_F(PipelineOrderTest, ARefusalBeforeSendingLetsTheRestOfItsLanePass) {
  sink().topic("outbox.event.order").record_bytes_max = 1000;
  sink().hold_key("k");
  EventSpec large = event(2);
  large.payload = std::string(2000, 'x');
  commit(100, {event(1)});
  commit(110, {large}, Fate::dead_letter);
  commit(120, {event(3)});
  run();
  sink().free_key("k");
  run();
  EXPECT_EQ(landed(), (Numbers{1, 3}));
  EXPECT_EQ(journal().landed_numbers(), (Numbers{2}));
}

TEST_F(PipelineOrderTest, StreamsAreIndependent) {
  options_.streams = 2;
  make_world();
  sink().cork();
  commit(100, {event(1), event(2)}, Fate::deliver, 0);
  commit(500, {event(3, "other"), event(4, "other")}, Fate::deliver, 1);
  run();
  EXPECT_EQ(outside(), (Numbers{1, 2, 3, 4}));
  sink().acknowledge(held(sink(), 3));
  sink().acknowledge(held(sink(), 4));
  world_->run_for(seconds(3));
  EXPECT_EQ(world_->upstreams[1].confirmed().major, 501U);
  EXPECT_EQ(world_->upstreams[0].confirmed().major, 0U);
  sink().uncork();
  world_->run_for(seconds(3));
  world_->judge.at_rest();
}

TEST_F(PipelineOrderTest, ASinkThatIsAlwaysFullServesEveryStreamInTurn) {
  options_.streams = 2;
  make_world();
  sink().cork();
  sink().limit(1);
  commit(100, {event(1, "a"), event(2, "a"), event(3, "a"), event(4, "a")}, Fate::deliver, 0);
  commit(500, {event(11, "b"), event(12, "b"), event(13, "b")}, Fate::deliver, 1);
  for (int i = 0; i < 4; ++i) {
    step();
    sink().acknowledge_all();
  }
  EXPECT_EQ(landed().size(), 4U);
  EXPECT_GT(pipeline().window(core::StreamId{0}).begin(), 0U);
  EXPECT_GT(pipeline().window(core::StreamId{1}).begin(), 0U) << "the second stream is starved";
  sink().uncork();
  run();
}

TEST_F(PipelineOrderTest, GoingBackRewindsTheLanesOfEveryStream) {
  options_.streams = 2;
  make_world();
  sink().cork();
  sink().hold_key("slow");
  commit(100, {event(1)}, Fate::deliver, 0);
  commit(500, {event(2, "slow"), event(3)}, Fate::deliver, 1);
  run();
  EXPECT_EQ(outside(), (Numbers{1, 3}));
  sink().free_key("slow");
  sink().give_back_all();
  run();
  EXPECT_EQ(outside(), (Numbers{1, 2, 3}));
  sink().uncork();
  run();
}

}  // namespace
}  // namespace outbox::flow
