// What each outcome of a delivery does.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

using PipelineOutcomeTest = PipelineTest;

TEST_F(PipelineOutcomeTest, DurableIsCountedWithItsLatency) {
  sink().cork();
  commit(100, {event(1)});
  run();
  advance(milliseconds(3));
  sink().acknowledge_all();
  run();
  const RouteCounters& route = pipeline().counters().routes[0];
  EXPECT_EQ(route.delivered, 1U);
  EXPECT_EQ(route.commit_to_acknowledged.count(), 1U);
  EXPECT_DOUBLE_EQ(route.commit_to_acknowledged.sum_seconds(), 0.003);
}

TEST_F(PipelineOutcomeTest, ReturnedIsNotAnAttemptAndWaitsForNothing) {
  sink().cork();
  commit(100, {event(1)});
  run();
  sink().give_back_all();
  run();
  EXPECT_EQ(outside(), (Numbers{1}));
  EXPECT_EQ(sink().outside()[0].attempts, 0U);
  EXPECT_EQ(pipeline().counters().returned, 1U);
  EXPECT_EQ(pipeline().retry_reason(), "");
  sink().uncork();
  run();
}

TEST_F(PipelineOutcomeTest, RetryIsCountedNamedAndWaitsWithJitterBelowTheBound) {
  sink().cork();
  commit(100, {event(1)});
  run();
  core::Duration bound = options_.pipeline.retry_first;
  for (uint32_t attempt = 1; attempt <= 12; ++attempt) {
    sink().fail(held(sink(), 1), {"TIMED_OUT", "no answer in time"});
    run();
    EXPECT_EQ(outside(), (Numbers{})) << "it waits";
    EXPECT_EQ(pipeline().retry_reason(), "TIMED_OUT: no answer in time");
    world_->run_for(bound);
    ASSERT_EQ(outside(), (Numbers{1}));
    EXPECT_EQ(sink().outside()[0].attempts, attempt);
    bound = std::min<core::Duration>(2 * bound, options_.pipeline.retry_most);
  }
  EXPECT_EQ(pipeline().counters().retried, 12U);
  sink().uncork();
  run();
  EXPECT_EQ(pipeline().retry_reason(), "");
}

TEST_F(PipelineOutcomeTest, ManyFailuresOfOneOutageCountAsOne) {
  sink().cork();
  for (uint64_t number = 1; number <= 15; ++number) {
    commit(100 + 10 * number, {event(number, std::to_string(number))});
  }
  run();
  for (uint64_t number = 1; number <= 15; ++number) {
    sink().fail(held(sink(), number), {"TIMED_OUT", ""});
    step();
  }
  world_->run_for(options_.pipeline.retry_first);
  EXPECT_EQ(outside().size(), 15U) << "waited no longer than one failure's bound";
  sink().uncork();
  run();
}

// What still comes back from before a failure says nothing about whether the trouble is over.
TEST_F(PipelineOutcomeTest, AnAcknowledgementFromBeforeTheFailureDoesNotHideIt) {
  sink().cork();
  commit(100, {event(1, "a"), event(2, "b")});
  run();
  sink().fail(held(sink(), 1), {"TIMED_OUT", "no answer in time"});
  step();
  sink().acknowledge(held(sink(), 2));
  step();
  EXPECT_EQ(pipeline().retry_reason(), "TIMED_OUT: no answer in time");
  sink().uncork();
  world_->run_for(seconds(1));
  EXPECT_EQ(pipeline().retry_reason(), "");
}

TEST_F(PipelineOutcomeTest, UnknownStopsThePipelineAndIsNotSentAgainInvariant5) {
  sink().cork();
  commit(100, {event(1)});
  run();
  sink().lose(held(sink(), 1));
  run();
  ASSERT_TRUE(world_->error);
  EXPECT_EQ(world_->error->code, "UNKNOWN_OUTCOME");
  EXPECT_EQ(world_->error->subject, core::to_string(support::numbered_id(1)));
  EXPECT_EQ(sink().submit_calls(), 1U);
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineOutcomeTest, FatalStopsThePipelineWithTheSinksWords) {
  sink().cork();
  commit(100, {event(1)});
  run();
  sink().break_down(held(sink(), 1), {"CLUSTER_AUTHORIZATION_FAILED", "no idempotent writes"});
  run();
  ASSERT_TRUE(world_->error);
  EXPECT_EQ(world_->error->code, "SINK_FATAL");
  EXPECT_NE(world_->error->detail.find("CLUSTER_AUTHORIZATION_FAILED"), std::string::npos);
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineOutcomeTest, ADeliveryCarriesEpochPositionFormAndRoute) {
  sink().cork();
  commit(100, {event(1)});
  run();
  const core::Delivery& delivery = sink().outside().at(0);
  EXPECT_EQ(delivery.epoch, world_->store.epoch);
  EXPECT_EQ(delivery.position_form, core::PositionForm::lsn_ordinal);
  EXPECT_EQ(delivery.destination->name, "outbox.event.order");
  EXPECT_EQ(delivery.purpose, core::Purpose::deliver);
  EXPECT_EQ(delivery.cause, nullptr);
  sink().uncork();
  run();
}

TEST_F(PipelineOutcomeTest, TheNextProcessSendsWithANewEpoch) {
  sink().cork();
  commit(100, {event(1)});
  run();
  const uint64_t first = sink().outside().at(0).epoch;
  world_->crash();
  world_->start();
  sink().cork();
  run();
  EXPECT_EQ(sink().outside().at(0).epoch, first + 1);
  sink().uncork();
  run();
}

}  // namespace
}  // namespace outbox::flow
