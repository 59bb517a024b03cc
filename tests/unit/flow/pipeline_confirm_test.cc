// Invariant 6: sink durable -> progress saved -> confirm upstream; and the lease of invariant 8.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

class PipelineConfirmTest : public PipelineTest {
 protected:
  core::Progress saved() { return world_->store.rows[0]; }
  uint64_t saves() { return checkpoint().save_count(); }
};

TEST_F(PipelineConfirmTest, NothingIsSavedBeforeItIsDurableAndNothingConfirmedBeforeItIsSaved) {
  sink().cork();
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)});
  run();
  EXPECT_EQ(saves(), 0U);
  sink().acknowledge_all();
  run();
  EXPECT_TRUE(checkpoint().saving());
  EXPECT_EQ(confirmed(), 0U);
  checkpoint().complete();
  run();
  EXPECT_EQ(confirmed(), 101U);
  EXPECT_EQ(saved().boundary, (core::Position{101, 0}));
  EXPECT_EQ(saved().settled, (core::Position{100, 1}));
}

TEST_F(PipelineConfirmTest, KeepaliveNeverPassesAnOpenEvent) {
  sink().cork();
  commit(100, {event(1)});
  world_->keepalive(200);
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 0U);
  sink().acknowledge_all();
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 200U);
}

TEST_F(PipelineConfirmTest, KeepalivesAloneMoveTheSlot) {
  world_->keepalive(200);
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 200U);
}

TEST_F(PipelineConfirmTest, AcknowledgementsOutOfOrderConfirmOnlyTheContiguousPrefix) {
  sink().cork();
  commit(100, {event(1, "a")});
  commit(110, {event(2, "b")});
  commit(120, {event(3, "c")});
  run();
  sink().acknowledge(held(sink(), 3));
  sink().acknowledge(held(sink(), 2));
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 0U);
  sink().acknowledge(held(sink(), 1));
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 121U);
}

TEST_F(PipelineConfirmTest, InsideATransactionProgressIsSavedButTheSlotStays) {
  sink().cork();
  commit(100, {event(1, "a"), event(2, "b"), event(3, "c")});
  run();
  sink().acknowledge(held(sink(), 1));
  sink().acknowledge(held(sink(), 2));
  world_->run_for(seconds(5));
  EXPECT_EQ(saved().settled, (core::Position{100, 2}));
  EXPECT_EQ(saved().boundary, (core::Position{}));
  EXPECT_TRUE(world_->source().confirms().empty()) << "there is nothing to confirm yet";
  sink().uncork();
  run();
}

TEST_F(PipelineConfirmTest, ARestartResumesInsideATransaction) {
  sink().cork();
  commit(100, {event(1), event(2), event(3)});
  run();
  sink().acknowledge(held(sink(), 1));
  world_->run_for(seconds(5));
  world_->crash();
  world_->start();
  run();
  EXPECT_EQ(landed(), (Numbers{2, 3}));
}

TEST_F(PipelineConfirmTest, WhatWasNotSavedComesAgainAfterARestart) {
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1), event(2)});
  run();
  world_->crash();
  world_->start();
  world_->run_for(seconds(5));
  EXPECT_EQ(landed(), (Numbers{1, 2}));
  EXPECT_EQ(world_->judge.duplicates(), 2U);
  world_->judge.at_rest();
}

TEST_F(PipelineConfirmTest, EventsAreSavedAtMostOncePerProgressInterval) {
  commit(100, {event(1)});
  run();
  EXPECT_EQ(saves(), 1U) << "the first is saved at once";
  for (uint64_t i = 0; i < 9; ++i) {
    advance(milliseconds(10));
    commit(110 + 10 * i, {event(2 + i)});
    run();
  }
  EXPECT_EQ(saves(), 1U);
  world_->run_for(options_.pipeline.progress_interval);
  EXPECT_EQ(saves(), 2U);
  EXPECT_EQ(confirmed(), 191U);
}

TEST_F(PipelineConfirmTest, BoundariesWithoutEventsAreSavedAtMostOncePerIdleInterval) {
  world_->keepalive(200);
  run();
  EXPECT_EQ(saves(), 1U);
  for (uint64_t i = 1; i <= 19; ++i) {
    advance(milliseconds(100));
    world_->keepalive(200 + i);
    run();
  }
  EXPECT_EQ(saves(), 1U);
  world_->run_for(milliseconds(100));
  EXPECT_EQ(saves(), 2U);
  EXPECT_EQ(confirmed(), 219U);
}

TEST_F(PipelineConfirmTest, TheEndOfATransactionIsSavedLikeItsEventsAlsoWhenItComesLater) {
  commit(90, {event(1)});
  run();
  world_->source().items_per_poll(1);
  sink().cork();
  commit(100, {event(2)});
  step();
  sink().acknowledge_all();
  world_->source().disconnect();
  world_->run_for(options_.pipeline.progress_interval);
  EXPECT_EQ(saved().settled, (core::Position{100, 1}));
  EXPECT_EQ(confirmed(), 91U);
  world_->source().connect();
  run();
  world_->run_for(options_.pipeline.progress_interval);
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, NothingNewIsNotSavedAgain) {
  commit(100, {event(1)});
  world_->run_for(seconds(60));
  EXPECT_EQ(saves(), 1U);
  EXPECT_EQ(world_->source().confirms().size(), 1U);
}

TEST_F(PipelineConfirmTest, OneSaveAtATimeAlsoWithTwoStreams) {
  options_.streams = 2;
  make_world();
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)}, Fate::deliver, 0);
  commit(500, {event(2)}, Fate::deliver, 1);
  run();
  EXPECT_EQ(saves(), 1U);
  checkpoint().complete();
  run();
  EXPECT_EQ(saves(), 2U);
  EXPECT_EQ(world_->upstreams[0].confirmed().major, 101U);
  EXPECT_EQ(world_->upstreams[1].confirmed().major, 0U);
  checkpoint().complete();
  run();
  EXPECT_EQ(world_->upstreams[1].confirmed().major, 501U);
}

TEST_F(PipelineConfirmTest, AStreamThatIsAlwaysDueDoesNotStarveTheOther) {
  options_.streams = 2;
  options_.pipeline.progress_interval = core::Duration(0);
  make_world();
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)}, Fate::deliver, 0);
  run();
  commit(500, {event(2)}, Fate::deliver, 1);
  commit(110, {event(3)}, Fate::deliver, 0);
  run();
  EXPECT_EQ(checkpoint().newest_save().stream, core::StreamId{0});
  checkpoint().complete();
  run();
  EXPECT_EQ(checkpoint().newest_save().stream, core::StreamId{1}) << "both are due";
  checkpoint().saves(FakeCheckpoint::Saves::at_once);
  run();
}

TEST_F(PipelineConfirmTest, ASaveInDoubtIsRepeatedAndConfirmedOnlyThen) {
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)});
  run();
  checkpoint().disconnect(FakeCheckpoint::Reached::yes);
  world_->run_for(seconds(5));
  EXPECT_EQ(saved().boundary, (core::Position{101, 0}));
  EXPECT_EQ(confirmed(), 0U);
  checkpoint().reconnect();
  checkpoint().complete();
  run();
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, AnOvertakenRelayIsRefusedAtItsNextSaveAndStopsInvariant8) {
  commit(100, {event(1)});
  ++world_->store.epoch;  // another relay started
  run();
  ASSERT_TRUE(world_->error);
  EXPECT_EQ(world_->error->code, "EPOCH_FENCED");
  EXPECT_EQ(saved().boundary, (core::Position{}));
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineConfirmTest, PastTheLeaseNothingIsSubmittedSavedOrConfirmedInvariant8) {
  world_->lose_lease();
  commit(100, {event(1)});
  world_->run_for(seconds(5));
  EXPECT_EQ(sink().submit_calls(), 0U);
  EXPECT_EQ(saves(), 0U);
  EXPECT_EQ(pipeline().open_cells(), 1U) << "taking in is no act";
  world_->regain_lease();
  step();
  world_->run_for(seconds(5));
  EXPECT_EQ(landed(), (Numbers{1}));
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, WhatWasOutsideWhenTheLeaseEndedIsStillTakenIn) {
  sink().cork();
  commit(100, {event(1)});
  run();
  world_->lose_lease();
  sink().acknowledge_all();
  world_->run_for(seconds(5));
  EXPECT_EQ(pipeline().open_cells(), 0U);
  EXPECT_EQ(saves(), 0U);
  world_->regain_lease();
  step();
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, ASaveThatEndsPastTheLeaseIsConfirmedAfterItIsRegained) {
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)});
  run();
  world_->lose_lease();
  checkpoint().complete();
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 0U);
  EXPECT_FALSE(pipeline().drained());
  world_->regain_lease();
  step();
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, DeadLettersWaitForTheLeaseToo) {
  EventSpec unroutable = event(1);
  unroutable.aggregate_type = "no topic";
  world_->lose_lease();
  commit(100, {unroutable}, Fate::dead_letter);
  run();
  EXPECT_EQ(journal().submit_calls(), 0U);
  world_->regain_lease();
  step();
  run();
  EXPECT_EQ(journal().landed_numbers(), (Numbers{1}));
}

TEST_F(PipelineConfirmTest, DrainedMeansSettledSavedAndConfirmed) {
  EXPECT_TRUE(pipeline().drained()) << "nothing was ever taken";
  sink().cork();
  checkpoint().saves(FakeCheckpoint::Saves::held);
  commit(100, {event(1)});
  run();
  pipeline().stop_intake();
  step();
  EXPECT_FALSE(pipeline().drained()) << "an event is outside";
  sink().acknowledge_all();
  step();
  EXPECT_FALSE(pipeline().drained()) << "its save is under way";
  checkpoint().complete();
  EXPECT_FALSE(pipeline().drained()) << "and not confirmed";
  step();
  EXPECT_TRUE(pipeline().drained());
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineConfirmTest, ShutdownDoesNotWaitForTheProgressIntervals) {
  options_.pipeline.progress_interval = seconds(3600);
  options_.pipeline.idle_progress_interval = seconds(3600);
  make_world();
  commit(100, {event(1)});
  run();
  commit(110, {event(2)});
  world_->keepalive(300);
  run();
  EXPECT_EQ(confirmed(), 101U);
  pipeline().stop_intake();
  step();
  run();
  EXPECT_TRUE(pipeline().drained());
  EXPECT_EQ(confirmed(), 300U);
}

TEST_F(PipelineConfirmTest, AStoppedIntakeTakesNothingMore) {
  pipeline().stop_intake();
  commit(100, {event(1)});
  run();
  step();
  EXPECT_EQ(pipeline().counters().taken, 0U);
  EXPECT_TRUE(pipeline().drained());
}

}  // namespace
}  // namespace outbox::flow
