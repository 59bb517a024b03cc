// What a replay brings beside its letters: keys that are freed otherwise, and topics that were
// mended a moment ago. How letters and rounds go is in tests/script.
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

constexpr const char* kTopic = "orders";

class PipelineReplayTest : public PipelineTest {
 protected:
  PipelineReplayTest() {
    options_.replays = true;
    options_.routes = {Route{"all", {}, {}, kTopic, OnFailure::park}};
    make_world();
  }

  /// Refused while its topic is not there.
  void park(uint64_t commit_lsn, uint64_t number, const std::string& key) {
    sink().topic(kTopic).state = core::DestinationState::missing;
    commit(commit_lsn, {event(number, key)}, Fate::keep);
    run();
    ASSERT_EQ(pipeline().blocked_keys().size(), 1U);
  }
};

TEST_F(PipelineReplayTest, ADiscardedLetterFreesItsKey) {
  park(100, 1, "x");
  world_->letters.discard(1);
  run();
  EXPECT_TRUE(pipeline().blocked_keys().empty());
}

TEST_F(PipelineReplayTest, ADiscardedHeadLeavesItsKeyBlockedByWhatStandsBehindIt) {
  park(100, 1, "x");
  commit(110, {event(2, "x")}, Fate::keep);
  run();
  world_->letters.discard(1);
  run();
  EXPECT_EQ(pipeline().blocked_keys().size(), 1U);
  world_->letters.discard(2);
  run();
  EXPECT_TRUE(pipeline().blocked_keys().empty());
}

TEST_F(PipelineReplayTest, WhatTheRouterRefusesALetterByIsReadAgainFirst) {
  park(100, 1, "x");
  sink().facts_can_be_read_again();
  world_->replay().replay();
  run();
  EXPECT_EQ(pipeline().counters().routes[0].refused_again, 0U);
  EXPECT_TRUE(landed().empty());
  world_->judge.mended(1);
  sink().read_again(kTopic, core::DestinationState::usable);
  run();
  EXPECT_EQ(landed(), (Numbers{1}));
  EXPECT_EQ(pipeline().counters().routes[0].replayed, 1U);
}

TEST_F(PipelineReplayTest, ALetterIsRefusedAgainIfWhatIsReadIsNoBetter) {
  park(100, 1, "x");
  sink().facts_can_be_read_again();
  world_->replay().replay();
  run();
  sink().read_again(kTopic, core::DestinationState::missing);
  run();
  EXPECT_EQ(pipeline().counters().routes[0].refused_again, 1U);
  EXPECT_EQ(pipeline().blocked_keys().size(), 1U);
}

TEST_F(PipelineReplayTest, NewEventsDoNotWaitUntilATopicIsReadAgain) {
  park(100, 1, "x");
  sink().facts_can_be_read_again();
  world_->replay().replay();
  run();
  commit(110, {event(2, "y")}, Fate::keep);
  run();
  EXPECT_EQ(pipeline().counters().routes[0].parked, 2U);
}

}  // namespace
}  // namespace outbox::flow
