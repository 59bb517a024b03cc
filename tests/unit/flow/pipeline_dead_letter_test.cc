// The way of a refused event: to the dead letters with its cause, before its position is confirmed,
// and in the order of its stream (invariants 1, 3 and 6).
#include "tests/unit/flow/pipeline_fixture.h"

namespace outbox::flow {
namespace {

class PipelineDeadLetterTest : public PipelineTest {
 protected:
  static EventSpec unroutable(uint64_t number, std::optional<std::string> key = "k") {
    EventSpec spec = event(number, std::move(key));
    spec.aggregate_type = "no topic";
    return spec;
  }

  std::vector<uint64_t> in_journal() { return journal().landed_numbers(); }
};

TEST_F(PipelineDeadLetterTest, ThePositionIsNotConfirmedBeforeTheDeadLetterIsDurable) {
  journal().cork();
  commit(100, {unroutable(1)}, Fate::dead_letter);
  world_->run_for(seconds(5));
  EXPECT_EQ(numbers_outside(journal()), (Numbers{1}));
  EXPECT_EQ(confirmed(), 0U);
  journal().acknowledge_all();
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineDeadLetterTest, TheCheckpointIsToldOfADeadLetterOnceItIsDurableAndBeforeItIsSaved) {
  journal().cork();
  commit(100, {unroutable(1)}, Fate::dead_letter);
  run();
  EXPECT_TRUE(checkpoint().refusals().empty());
  checkpoint().saves(FakeCheckpoint::Saves::held);
  journal().acknowledge_all();
  run();
  ASSERT_EQ(checkpoint().refusals().size(), 1U);
  EXPECT_EQ(checkpoint().refusals()[0].first, (core::Position{100, 1}));
  EXPECT_EQ(checkpoint().refusals()[0].second, "ILLEGAL_TOPIC");
  EXPECT_EQ(confirmed(), 0U);
  checkpoint().complete();
  run();
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineDeadLetterTest, TheCheckpointIsToldOfASkippedEvent) {
  options_.routes = {Route{"all", {}, {}, "bad topic", OnFailure::skip}};
  make_world();
  commit(100, {event(1), event(2)}, Fate::skip);
  run();
  ASSERT_EQ(checkpoint().refusals().size(), 2U);
  EXPECT_EQ(checkpoint().refusals()[1].first, (core::Position{100, 2}));
}

TEST_F(PipelineDeadLetterTest, ADeadLetterCarriesItsCauseAndItsTopicWhereThereIsOne) {
  sink().cork();
  commit(100, {event(1)});
  commit(110, {unroutable(2)}, Fate::dead_letter);
  run();
  sink().refuse(held(sink(), 1), {"INVALID_RECORD", "says the broker"});
  run();
  run();
  ASSERT_EQ(journal().log().size(), 2U);
  EXPECT_EQ(journal().log()[0].cause, "INVALID_RECORD");
  EXPECT_EQ(journal().log()[0].destination, "outbox.event.order");
  EXPECT_EQ(journal().log()[1].cause, "ILLEGAL_TOPIC");
  EXPECT_EQ(journal().log()[1].destination, "");
}

TEST_F(PipelineDeadLetterTest, ARejectWithoutACauseStillGetsOne) {
  options_.witness = nullptr;
  sink().cork();
  commit(100, {event(1)});
  run();
  sink().refuse(held(sink(), 1), {"", ""});
  journal().cork();
  run();
  EXPECT_EQ(journal().outside().at(0).cause->code, "REJECTED");
  journal().uncork();
  run();
}

TEST_F(PipelineDeadLetterTest, DeadLettersLeaveInOrderThoughTheyWereRefusedInAnother) {
  sink().cork();
  commit(100, {event(1)});
  commit(110, {unroutable(2)}, Fate::dead_letter);
  run();
  EXPECT_EQ(in_journal(), (Numbers{})) << "event 1 may still be refused, and goes first then";
  sink().refuse(held(sink(), 1), {"INVALID_RECORD", ""});
  run();
  EXPECT_EQ(in_journal(), (Numbers{1, 2}));
}

TEST_F(PipelineDeadLetterTest, AnEventBeforeThemThatIsDeliveredLetsDeadLettersGo) {
  sink().cork();
  commit(100, {event(1)});
  commit(110, {unroutable(2)}, Fate::dead_letter);
  run();
  sink().acknowledge_all();
  run();
  EXPECT_EQ(in_journal(), (Numbers{2}));
}

TEST_F(PipelineDeadLetterTest, OpenEventsBehindADeadLetterDoNotHoldItUp) {
  sink().cork();
  commit(100, {unroutable(1)}, Fate::dead_letter);
  commit(110, {event(2)});
  run();
  EXPECT_EQ(in_journal(), (Numbers{1}));
  sink().uncork();
  run();
}

TEST_F(PipelineDeadLetterTest, AFailedJournalIsTriedAgainInOrder) {
  journal().cork();
  journal().limit(2);
  commit(100, {unroutable(1), unroutable(2), unroutable(3)}, Fate::dead_letter);
  run();
  EXPECT_EQ(numbers_outside(journal()), (Numbers{1, 2}));
  journal().fail(held(journal(), 1), {"TIMED_OUT", "no answer in time"});
  journal().give_back_all();
  run();
  EXPECT_EQ(numbers_outside(journal()), (Numbers{}));
  EXPECT_NE(pipeline().retry_reason().find("TIMED_OUT"), std::string::npos);
  journal().uncork();
  world_->run_for(seconds(1));
  EXPECT_EQ(in_journal(), (Numbers{1, 2, 3}));
  EXPECT_EQ(pipeline().retry_reason(), "");
}

TEST_F(PipelineDeadLetterTest, ADeadLetterThatHadLandedIsRepeatedInItsOrder) {
  journal().cork();
  commit(100, {unroutable(1), unroutable(2), unroutable(3)}, Fate::dead_letter);
  run();
  journal().fail(held(journal(), 1), {"NETWORK", ""}, FakeSink::Landed::yes);
  journal().give_back_all();
  journal().uncork();
  world_->run_for(seconds(1));
  EXPECT_EQ(in_journal(), (Numbers{1, 1, 2, 3}));
}

TEST_F(PipelineDeadLetterTest, OneOutageOfTheJournalCountsAsOneFailure) {
  journal().cork();
  std::vector<EventSpec> many;
  for (uint64_t number = 1; number <= 12; ++number) many.push_back(unroutable(number));
  commit(100, many, Fate::dead_letter);
  run();
  for (uint64_t number = 1; number <= 12; ++number) {
    journal().fail(held(journal(), number), {"TIMED_OUT", ""});
  }
  run();
  advance(options_.pipeline.retry_first);
  step();
  EXPECT_EQ(numbers_outside(journal()).size(), 12U) << "waited no longer than one failure's bound";
  journal().uncork();
  run();
}

TEST_F(PipelineDeadLetterTest, DeliveryGoesOnWhileTheJournalIsDown) {
  journal().cork();
  commit(100, {unroutable(1)}, Fate::dead_letter);
  run();
  journal().fail(held(journal(), 1), {"TIMED_OUT", ""});
  commit(110, {event(2)});
  run();
  EXPECT_EQ(landed(), (Numbers{2}));
  journal().uncork();
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 111U);
}

TEST_F(PipelineDeadLetterTest, AJournalThatRefusesStopsThePipelineAndConfirmsNothing) {
  journal().cork();
  commit(100, {unroutable(1)}, Fate::dead_letter);
  run();
  journal().refuse(held(journal(), 1), {"MSG_SIZE_TOO_LARGE", "even there"});
  run();
  ASSERT_TRUE(world_->error);
  EXPECT_EQ(world_->error->code, "DEAD_LETTER_REFUSED");
  EXPECT_EQ(confirmed(), 0U);
}

TEST_F(PipelineDeadLetterTest, ARefusedEventTakesItsBytesAlongAndPinsNoChunk) {
  commit(100, {event(1, "other")});
  commit(110, {unroutable(2)}, Fate::dead_letter);
  journal().cork();
  run();
  EXPECT_EQ(world_->source().pool().held_bytes(), 0U);
  journal().uncork();
  run();
  EXPECT_EQ(in_journal(), (Numbers{2}));
}

TEST_F(PipelineDeadLetterTest, SkippingSettlesAtOnceIsCountedAndNeverJournalled) {
  options_.routes = {Route{"all", {}, {}, "bad topic", OnFailure::skip}};
  make_world();
  commit(100, {event(1), event(2)}, Fate::skip);
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 101U);
  EXPECT_EQ(pipeline().counters().routes[0].skipped, 2U);
  EXPECT_EQ(in_journal(), (Numbers{}));
}

TEST_F(PipelineDeadLetterTest, AnEventThatTheSinkRefusesIsSkippedWhereTheRouteSaysSo) {
  options_.routes = {Route{"all", {}, {}, "t", OnFailure::skip}};
  make_world();
  world_->judge.fate_if_refused(Fate::skip);
  sink().cork();
  commit(100, {event(1), event(2)});
  run();
  sink().refuse(held(sink(), 1), {"INVALID_RECORD", ""});
  sink().give_back_all();
  sink().uncork();
  world_->run_for(seconds(5));
  EXPECT_EQ(landed(), (Numbers{2}));
  EXPECT_EQ(in_journal(), (Numbers{}));
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineDeadLetterTest, ARefusalThatTheSinkNeverSawIsNotForgottenByTheLoop) {
  options_.routes = {Route{"all", {}, {}, "t", OnFailure::skip}};
  make_world();
  sink().topic("t").state = core::DestinationState::missing;
  commit(100, {event(1)}, Fate::skip);
  world_->run_for(seconds(5));
  EXPECT_EQ(confirmed(), 101U);
}

TEST_F(PipelineDeadLetterTest, TheNewestRefusalAndTheirNumberAreKept) {
  commit(100, {unroutable(1), unroutable(2)}, Fate::dead_letter);
  run();
  ASSERT_TRUE(pipeline().newest_refusal());
  EXPECT_EQ(pipeline().newest_refusal()->count, 2U);
  EXPECT_EQ(pipeline().newest_refusal()->position, (core::Position{100, 2}));
  EXPECT_EQ(pipeline().newest_refusal()->cause.code, "ILLEGAL_TOPIC");
}

TEST_F(PipelineDeadLetterTest, StreamsDoNotWaitForEachOthersDeadLetters) {
  options_.streams = 2;
  make_world();
  sink().cork();
  commit(100, {event(1)}, Fate::deliver, 0);
  commit(110, {unroutable(2)}, Fate::dead_letter, 0);
  commit(500, {unroutable(3)}, Fate::dead_letter, 1);
  run();
  EXPECT_EQ(in_journal(), (Numbers{3}));
  sink().uncork();
  run();
  EXPECT_EQ(in_journal(), (Numbers{3, 2}));
}

}  // namespace
}  // namespace outbox::flow
