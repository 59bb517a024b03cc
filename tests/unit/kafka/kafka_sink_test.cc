// The Kafka sink on librdkafka's mock cluster: what is quick to show without a real broker.

#include "connectors/kafka/kafka_sink.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka/mock_cluster.h"

namespace outbox::kafka {
namespace {

using core::Admission;
using core::DestinationState;
using core::HealthState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using State = support::SinkDriver::State;

class KafkaSinkOnMock : public ::testing::Test {
 protected:
  KafkaSinkOnMock() { cluster_.topic("t", 1); }
  void TearDown() override {
    if (!world_) return;
    EXPECT_EQ(world_->driver->violation(), "");
  }
  SinkOnMock& world(Properties properties = {}, size_t outside_bytes_max = kOutsideBytesMax) {
    if (!world_) world_ = std::make_unique<SinkOnMock>(cluster_, properties, outside_bytes_max);
    return *world_;
  }
  // The partition knows its producer; what comes next goes in whole batches, since the client waits
  // for company.
  void seed() {
    world({{"linger.ms", "100"}}).add(1);
    ASSERT_TRUE(world().settle());
  }

  MockCluster cluster_;
  std::unique_ptr<SinkOnMock> world_;
};

TEST_F(KafkaSinkOnMock, DeliversEveryRecordAndCompletesEachOnce) {
  world().add(5'000, 100);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 5'000U);
  for (size_t number = 0; number < 5'000; ++number) {
    ASSERT_EQ(world().driver->item(number).completions, 1U);
  }
  EXPECT_EQ(world().sink->health().state, HealthState::ok);
}

TEST_F(KafkaSinkOnMock, SeedsAPartitionWithOneRecordAloneUntilItIsAcknowledged) {
  SinkOnMock& sink = world();
  sink.add(10, 10);
  cluster_.answer_after(milliseconds(300));
  ASSERT_TRUE(sink.step_until([&] { return sink.driver->outside() > 0; }));
  const uint64_t generation = sink.sink->wait_generation();
  sink.step_for(milliseconds(100));
  EXPECT_EQ(sink.driver->outside(), 1U);
  EXPECT_EQ(sink.driver->newest_answer(), Admission::wait);
  ASSERT_TRUE(sink.settle());
  EXPECT_GT(sink.sink->wait_generation(), generation);
}

TEST_F(KafkaSinkOnMock, SeedsAPartitionAgainAfterAnHourIdle) {
  seed();
  const uint64_t waits = world().driver->wait_count();
  world().add(5, 5);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->wait_count(), waits) << "seeded a moment ago";
  world().ahead = std::chrono::minutes(61);
  world().add(5, 5);
  ASSERT_TRUE(world().settle());
  EXPECT_GT(world().driver->wait_count(), waits);
}

TEST_F(KafkaSinkOnMock, ReturnsTheWholeRefusedBatchAndSendsItAgainInOrder_Invariant3) {
  seed();
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP});
  world().add(100, 10);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 101U);
  EXPECT_GT(world().driver->returned_count(), 0U);
  EXPECT_EQ(world().driver->retry_count(), 0U) << "a neighbour's refusal is no attempt";
  EXPECT_EQ(world().sink->rebuilds(), 1U);
}

TEST_F(KafkaSinkOnMock, RejectsARecordThatIsRefusedByItselfWithItsCause) {
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  world().add(3, 3);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->item(0).state, State::rejected);
  EXPECT_EQ(world().driver->item(0).cause.find("MSG_SIZE_TOO_LARGE: "), 0U)
      << world().driver->item(0).cause;
  EXPECT_NE(world().driver->item(0).cause.find("topic \"t\", partition 0"), std::string::npos);
  EXPECT_EQ(world().driver->count(State::delivered), 2U);
}

TEST_F(KafkaSinkOnMock, BisectsDownToTheOffenderWhenEveryGroupIsRefused) {
  seed();
  // The batch, then each half that holds number 1, down to that record by itself.
  cluster_.refuse_produce(std::vector<rd_kafka_resp_err_t>(1, RD_KAFKA_RESP_ERR_INVALID_RECORD));
  world().add(2, 1);
  ASSERT_TRUE(world().step_until([&] { return world().sink->rebuilds() == 1; }));
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_INVALID_RECORD});
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::rejected), 1U);
  EXPECT_EQ(world().driver->item(1).state, State::rejected);
}

TEST_F(KafkaSinkOnMock, GoesOnWithoutSuspectsThatNeverComeAgain) {
  seed();
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_INVALID_RECORD});
  world().add(20, 20);
  ASSERT_TRUE(world().step_until([&] { return world().driver->returned_count() > 0; }));
  // As when the Router has learned to refuse them.
  for (size_t number = 1; number <= 20; ++number) world().driver->withdraw(number);
  world().add(5, 5);
  ASSERT_TRUE(world().settle(seconds(3)));
  for (size_t number = 21; number < 26; ++number) {
    EXPECT_EQ(world().driver->item(number).state, State::delivered);
  }
}

TEST_F(KafkaSinkOnMock, RebuildsAFatalProducerWithinASecond_Row29) {
  seed();
  cluster_.answer_after(milliseconds(50));
  world().add(500, 50);
  ASSERT_TRUE(world().step_until([&] { return world().driver->outside() == 500; }));
  const auto broken_at = steady_clock::now();
  world().sink->conveyor().producer()->break_it();
  ASSERT_TRUE(world().step_until([&] { return world().sink->rebuilds() == 1; }, seconds(5)));
  EXPECT_LE(steady_clock::now() - broken_at, seconds(1));
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 501U);
}

TEST_F(KafkaSinkOnMock, KeepsARecordThroughTooFewReplicas_Row27) {
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                           RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                           RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND});
  world().add(1);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 1U);
  EXPECT_EQ(world().driver->retry_count() + world().driver->returned_count(), 0U)
      << "the client library tries again by itself";
}

TEST_F(KafkaSinkOnMock, MakesNoDeadLetterOfAnOutageAndCatchesUp_Row26) {
  seed();
  cluster_.down();
  world().add(200, 20);
  world().step_for(seconds(3));
  EXPECT_EQ(world().driver->count(State::rejected), 0U);
  EXPECT_EQ(world().driver->count(State::delivered), 1U);
  EXPECT_EQ(world().sink->health().state, HealthState::waiting);
  EXPECT_NE(world().sink->health().reason.find("Kafka: "), std::string::npos);
  cluster_.up();
  const auto up_at = steady_clock::now();
  ASSERT_TRUE(world().settle());
  EXPECT_LE(steady_clock::now() - up_at, seconds(5));
  EXPECT_EQ(world().driver->count(State::delivered), 201U);
  EXPECT_EQ(world().sink->health().state, HealthState::ok);
}

TEST_F(KafkaSinkOnMock, IsWellAgainAfterAnOutageWithNothingToSend) {
  seed();
  cluster_.down();
  ASSERT_TRUE(world().step_until(
      [&] { return world().sink->health().state == HealthState::waiting; }, seconds(10)));
  cluster_.up();
  EXPECT_TRUE(world().step_until([&] { return world().sink->health().state == HealthState::ok; },
                                 seconds(10)));
}

TEST_F(KafkaSinkOnMock, WaitsForABrokerThatDoesNotAnswer_Row28) {
  world({{"socket.timeout.ms", "1000"}});
  seed();
  cluster_.answer_after(seconds(4));
  world().add(50, 5);
  world().step_for(seconds(6));
  EXPECT_EQ(world().driver->count(State::rejected), 0U);
  cluster_.answer_after(milliseconds(0));
  ASSERT_TRUE(world().settle(seconds(30)));
  EXPECT_EQ(world().driver->count(State::delivered), 51U);
}

TEST_F(KafkaSinkOnMock, NamesThatNoBrokerTakesAreMissingAtOnce) {
  for (const std::string& name : std::vector<std::string>{"", ".", "..", std::string(250, 'a'),
                                                          "with space", "caf\xc3\xa9", "a/b"}) {
    EXPECT_EQ(world().sink->destination(name).state, DestinationState::missing) << name;
  }
  EXPECT_EQ(world().sink->destination(std::string(249, 'a')).state, DestinationState::unknown);
}

TEST_F(KafkaSinkOnMock, BelievesThatATopicIsMissingOnlyAfterASecondAnswer) {
  cluster_.topic("late", 1);
  cluster_.topic_error("late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const core::Destination& late = world().sink->destination("late");
  const auto asked_at = steady_clock::now();
  ASSERT_TRUE(world().step_until([&] { return late.state == DestinationState::missing; }));
  EXPECT_GE(steady_clock::now() - asked_at, seconds(1));
  cluster_.topic_error("late", RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_TRUE(
      world().step_until([&] { return late.state == DestinationState::usable; }, seconds(6)))
      << "a topic made later is found";
}

TEST_F(KafkaSinkOnMock, ATopicThatWeMayNotWriteToIsDeniedAndItsRecordsComeBack) {
  seed();
  cluster_.refuse_produce({RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  world().add(10, 5);
  ASSERT_TRUE(world().step_until([&] { return world().topic->state == DestinationState::denied; }));
  EXPECT_EQ(world().driver->count(State::rejected), 0U);
  world().ahead = seconds(31);
  ASSERT_TRUE(world().settle()) << "asked again after half a minute";
}

TEST_F(KafkaSinkOnMock, HoldsNoMoreBytesThanItsBound_Invariant7) {
  world({}, 100'000);
  cluster_.answer_after(milliseconds(100));
  seed();
  for (size_t i = 0; i < 50; ++i) {
    support::EventSpec spec = numbered(world().driver->size(), "k");
    spec.payload = std::string(10'000, 'x');
    world().driver->add(spec, world().topic);
  }
  size_t most = 0;
  ASSERT_TRUE(world().step_until([&] {
    most = std::max(most, world().driver->outside());
    return world().driver->settled();
  }));
  EXPECT_LE(most, 10U);
  EXPECT_GT(most, 1U);
}

TEST_F(KafkaSinkOnMock, OneRecordMayPassTheBoundWhenNothingElseIsThere_Invariant7) {
  world({}, 100'000);
  support::EventSpec spec = numbered(0, "k");
  spec.payload = std::string(500'000, 'x');
  world().driver->add(spec, world().topic);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 1U);
}

TEST_F(KafkaSinkOnMock, RejectsWhatIsTooLargeForAnyBrokerWithoutAFence) {
  seed();
  world().add(20, 5);
  support::EventSpec huge = numbered(world().driver->size(), "k");
  huge.payload = std::string(core::kDeadLetterRecordBytesMax + 1, 'x');
  const size_t number = world().driver->add(huge, world().topic);
  world().add(20, 5);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->item(number).state, State::rejected);
  EXPECT_EQ(world().driver->count(State::delivered), 41U);
  EXPECT_EQ(world().sink->rebuilds(), 0U);
}

TEST_F(KafkaSinkOnMock, TakesNothingBehindARefusedRecordBeforeItsRefusalIsTold_Invariant3) {
  seed();
  support::EventSpec huge = numbered(world().driver->size(), "k");
  huge.payload = std::string(core::kDeadLetterRecordBytesMax + 1, 'x');
  world().driver->add(huge, world().topic);
  world().driver->add(numbered(world().driver->size(), "k"), world().topic);
  world().driver->step({steady_clock::now(), core::WallTime{}});
  EXPECT_EQ(world().driver->outside(), 1U);
  EXPECT_EQ(world().driver->newest_answer(), Admission::full);
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::rejected), 1U);
}

TEST_F(KafkaSinkOnMock, EndsWhatIsOutsideWhenItIsDestroyed) {
  seed();
  cluster_.down();
  world().add(100, 10);
  world().step_for(milliseconds(200));
  ASSERT_GT(world().driver->outside(), 0U);
  const auto started = steady_clock::now();
  world().sink.reset();
  EXPECT_LE(steady_clock::now() - started, seconds(5));
}

TEST_F(KafkaSinkOnMock, PlacesByANewNumberOfPartitionsOnlyWhenNothingIsOutside_Invariant3) {
  cluster_.topic("grows", 4);
  const core::Destination& grows = world().usable_topic("grows");
  Conveyor& conveyor = world().sink->conveyor();
  EXPECT_EQ(conveyor.partitions(grows.id), 4U);
  cluster_.answer_after(milliseconds(200));
  world().driver->add(numbered(0, "k"), &grows);
  ASSERT_TRUE(world().step_until([&] { return world().driver->outside() == 1; }));
  conveyor.open_topic(grows.id, 3);
  EXPECT_EQ(conveyor.partitions(grows.id), 0U);
  const uint64_t generation = conveyor.wait_generation();
  world().driver->add(numbered(1, "k"), &grows);
  ASSERT_TRUE(world().settle());
  EXPECT_GT(conveyor.wait_generation(), generation);
  EXPECT_EQ(conveyor.partitions(grows.id), 3U);
}

TEST_F(KafkaSinkOnMock, ServesManyTopicsAndPartitionsAtOnce) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "many" + std::to_string(i);
    cluster_.topic(name, 5);
    const core::Destination& topic = world().usable_topic(name);
    for (int record = 0; record < 50; ++record) {
      world().driver->add(numbered(world().driver->size(), "k" + std::to_string(record)), &topic);
    }
  }
  ASSERT_TRUE(world().settle());
  EXPECT_EQ(world().driver->count(State::delivered), 1'000U);
}

}  // namespace
}  // namespace outbox::kafka
