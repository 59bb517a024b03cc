// What the brake counts, and what it stops. How it looks from outside is in tests/script.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

class PipelineBrakeTest : public PipelineTest {
 protected:
  void make(OnFailure on_failure, BrakeOptions brake) {
    options_.replays = on_failure == OnFailure::hold || on_failure == OnFailure::park;
    options_.routes = {Route{"all", {}, {}, "orders", on_failure}};
    options_.pipeline.brake = brake;
    make_world();
  }

  uint64_t counted(uint64_t RouteCounters::*counter) {
    return pipeline().counters().routes[0].*counter;
  }
};

TEST_F(PipelineBrakeTest, WhatStandsBehindAParkedEventIsNotCounted) {
  make(OnFailure::park, {100, 1});
  sink().topic("orders").state = core::DestinationState::missing;
  std::vector<EventSpec> events;
  for (uint64_t number = 1; number <= 10; ++number) events.push_back(event(number, "x"));
  commit(100, events, Fate::keep);
  run();
  EXPECT_EQ(counted(&RouteCounters::parked), 10U);
  EXPECT_FALSE(pipeline().brake().engaged());
  commit(110, {event(11, "y")}, Fate::keep);
  run();
  EXPECT_TRUE(pipeline().brake().engaged());
  EXPECT_EQ(counted(&RouteCounters::parked), 10U);
}

TEST_F(PipelineBrakeTest, ARouteThatSkipsLosesNoMoreThanIsAllowed) {
  make(OnFailure::skip, {100, 2});
  sink().topic("orders").state = core::DestinationState::missing;
  commit(100, {event(1), event(2), event(3), event(4)}, Fate::skip);
  run();
  EXPECT_EQ(counted(&RouteCounters::skipped), 2U);
  EXPECT_EQ(pipeline().open_cells(), 2U);
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineBrakeTest, WhatTheRouterRefusesAtOnceIsStoppedToo) {
  make(OnFailure::dead_letter, {100, 2});
  options_.routes[0].topic = "${aggregate_type}";
  make_world();
  std::vector<EventSpec> events;
  for (uint64_t number = 1; number <= 5; ++number) {
    events.push_back(event(number));
    events.back().aggregate_type = "no topic";
  }
  commit(100, events, Fate::dead_letter);
  run();
  EXPECT_EQ(counted(&RouteCounters::dead_lettered), 2U);
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineBrakeTest, AnOutageDoesNotCount) {
  make(OnFailure::dead_letter, {1, 0});
  sink().cork();
  commit(100, {event(1)});
  for (int n = 0; n < 50; ++n) {
    world_->run_for(seconds(20));
    sink().fail(held(sink(), 1), {"_TRANSPORT", "no broker"});
  }
  world_->run_for(seconds(20));
  EXPECT_FALSE(pipeline().brake().engaged());
  sink().acknowledge_all();
  run();
  EXPECT_EQ(landed(), (Numbers{1}));
}

TEST_F(PipelineBrakeTest, WhatIsUnderWayStillCountsAndThenThePipelineIsDrained) {
  make(OnFailure::dead_letter, {100, 0});
  sink().cork();
  commit(100, {event(1, "a")});
  commit(110, {event(2, "b")}, Fate::dead_letter);
  run();
  sink().refuse(held(sink(), 2), {"POISON", ""}, FakeSink::Fence::no);
  run();
  EXPECT_TRUE(pipeline().brake().engaged());
  EXPECT_FALSE(pipeline().drained()) << "event 1 is under way";
  sink().acknowledge(held(sink(), 1));
  world_->run_for(seconds(1));
  EXPECT_TRUE(pipeline().drained());
  EXPECT_EQ(confirmed(), 101U);
  EXPECT_EQ(counted(&RouteCounters::dead_lettered), 0U);
}

TEST_F(PipelineBrakeTest, LettersThatAreRefusedAgainAreNotCounted) {
  make(OnFailure::park, {100, 1});
  sink().topic("orders").state = core::DestinationState::missing;
  commit(100, {event(1, "x")}, Fate::keep);
  run();
  for (int n = 0; n < 5; ++n) {
    world_->replay().replay();
    run();
  }
  EXPECT_EQ(counted(&RouteCounters::refused_again), 5U);
  EXPECT_FALSE(pipeline().brake().engaged());
}

}  // namespace
}  // namespace outbox::flow
