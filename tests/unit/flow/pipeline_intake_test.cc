// Invariant 7: credit, budgets and what is kept in memory.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

class PipelineIntakeTest : public PipelineTest {
 protected:
  std::vector<EventSpec> many(uint64_t first, uint64_t count, size_t payload_bytes = 10) {
    std::vector<EventSpec> events;
    for (uint64_t number = first; number < first + count; ++number) {
      events.push_back(event(number));
      events.back().payload = std::string(payload_bytes, 'x');
    }
    return events;
  }
};

TEST_F(PipelineIntakeTest, NeverTakesMoreEventsThanTheWindowHasCells) {
  sink().cork();
  commit(100, many(1, 40));
  run();
  EXPECT_EQ(pipeline().open_cells(), 16U);
  EXPECT_EQ(world_->source().newest_credit()[0].events, 0U);
  sink().uncork();
  run();
  EXPECT_EQ(landed().size(), 40U);
}

TEST_F(PipelineIntakeTest, OneStepTakesInABoundedNumberOfEvents) {
  options_.pipeline.window_cells = 8192;
  make_world();
  sink().cork();
  commit(100, many(1, 6000));
  step();
  EXPECT_EQ(pipeline().counters().taken, core::kIntakeItemsPerStep);
  EXPECT_EQ(world_->source().newest_credit()[0].events, core::kIntakeItemsPerPoll);
  sink().uncork();
  run();
}

TEST_F(PipelineIntakeTest, StopsReadingAtTheByteBudget) {
  options_.pipeline.window_bytes = 1000;
  make_world();
  sink().cork();
  commit(100, many(1, 16, 300));
  run();
  EXPECT_GE(pipeline().open_bytes(), 1000U);
  EXPECT_LT(pipeline().open_bytes(), 1400U);
  EXPECT_EQ(world_->source().newest_credit()[0].bytes, 0U);
  sink().uncork();
  run();
  EXPECT_EQ(landed().size(), 16U);
}

TEST_F(PipelineIntakeTest, OneEventLargerThanTheBudgetPassesAlone) {
  options_.pipeline.window_bytes = 1000;
  make_world();
  sink().cork();
  commit(100, many(1, 1, 50'000));
  commit(110, many(2, 3));
  run();
  EXPECT_EQ(pipeline().open_cells(), 1U);
  sink().acknowledge_all();
  run();
  EXPECT_EQ(outside(), (Numbers{2, 3, 4}));
  sink().uncork();
  run();
}

TEST_F(PipelineIntakeTest, TheBudgetIsOneForAllStreams) {
  options_.streams = 4;
  options_.pipeline.window_bytes = 4000;
  make_world();
  sink().cork();
  for (uint16_t stream = 0; stream < 4; ++stream) {
    commit(100, many(1000U * stream + 1, 16, 300), Fate::deliver, stream);
  }
  run();
  EXPECT_LT(pipeline().open_bytes(), 4000 + 4 * 400U);
  for (uint16_t stream = 0; stream < 4; ++stream) {
    EXPECT_GT(pipeline().window(core::StreamId{stream}).size(), 0U) << "no stream is starved";
  }
  sink().uncork();
  run();
  EXPECT_EQ(landed().size(), 64U);
}

TEST_F(PipelineIntakeTest, AStuckStreamStopsItselfOnly) {
  options_.streams = 2;
  make_world();
  sink().cork();
  sink().hold_key("stuck");
  std::vector<EventSpec> stuck = many(1, 20);
  for (EventSpec& spec : stuck) spec.key = "stuck";
  commit(100, stuck, Fate::deliver, 0);
  commit(500, many(101, 40), Fate::deliver, 1);
  sink().uncork();
  run();
  EXPECT_EQ(landed().size(), 40U);
  EXPECT_EQ(pipeline().window(core::StreamId{0}).size(), 16U);
  sink().free_key("stuck");
  run();
  EXPECT_EQ(landed().size(), 60U);
}

TEST_F(PipelineIntakeTest, WithNothingOpenNoChunkIsHeld) {
  commit(100, many(1, 100, 5000));
  run();
  EXPECT_EQ(pipeline().open_bytes(), 0U);
  EXPECT_EQ(world_->source().pool().held_bytes(), 0U);
}

TEST_F(PipelineIntakeTest, AnErrorOfTheSourceEndsThePipeline) {
  world_->source().fail_with({core::Fault::fatal, "SLOT_MISSING", "start replication", "", "", ""});
  step();
  ASSERT_TRUE(world_->error);
  EXPECT_EQ(world_->error->code, "SLOT_MISSING");
}

TEST_F(PipelineIntakeTest, AReconnectRepeatsNothing) {
  commit(100, many(1, 3));
  run();
  world_->source().disconnect();
  commit(110, many(4, 3));
  run();
  EXPECT_EQ(landed().size(), 3U);
  world_->source().connect();
  run();
  EXPECT_EQ(landed(), (Numbers{1, 2, 3, 4, 5, 6}));
}

TEST_F(PipelineIntakeTest, TheOldestOpenCommitIsThatOfTheFirstUnsettledEvent) {
  EXPECT_FALSE(pipeline().oldest_open_commit());
  sink().cork();
  commit(100, {event(1, "a")});
  const core::WallTime first = world_->clock.now().wall;
  advance(seconds(1));
  commit(110, {event(2, "b")});
  run();
  EXPECT_EQ(pipeline().oldest_open_commit(), first);
  sink().acknowledge(held(sink(), 1));
  run();
  EXPECT_EQ(pipeline().oldest_open_commit(), world_->clock.now().wall);
  sink().uncork();
  run();
  EXPECT_FALSE(pipeline().oldest_open_commit());
}

}  // namespace
}  // namespace outbox::flow
