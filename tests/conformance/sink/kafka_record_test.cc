// What lands in Kafka, read back by kcat: the record of CONTRACT, and the dead letter.

#include <gtest/gtest.h>

#include <algorithm>

#include "connectors/kafka/kafka_journal.h"
#include "connectors/kafka/partitioner.h"
#include "tests/conformance/sink/kafka_world.h"
#include "tests/support/sink_driver.h"

namespace outbox::support {
namespace {

using State = SinkDriver::State;

EventSpec order(uint64_t number) {
  EventSpec spec;
  spec.number = number;
  spec.aggregate_type = "order";
  spec.event_type = "OrderPlaced";
  spec.key = "order-17";
  spec.payload = R"({"total": 12345678901234567890.10})";
  spec.commit_time = real_now().wall;
  spec.position = core::Position{0x16B374D848, 3};
  return spec;
}

class KafkaRecord : public ::testing::Test {
 protected:
  KafkaRecord() {
    auto made = kafka::Kafka::make(client_options());
    EXPECT_TRUE(made.ok());
    kafka_ = std::make_unique<kafka::Kafka>(std::move(*made));
    sink_ = kafka_->sink();
    driver_ = std::make_unique<SinkDriver>(*sink_);
  }
  void settle(SinkDriver& driver, core::Sink& sink) {
    until(std::chrono::seconds(60), [&] {
      if (!driver.step(real_now())) {
        wait_for({sink.interest(std::chrono::steady_clock::now())}, std::chrono::milliseconds(20));
      }
      return driver.settled();
    });
    EXPECT_EQ(driver.violation(), "");
  }
  // The one record that comes of the event.
  ReadRecord delivered(const EventSpec& spec, const std::string& topic) {
    driver_->add(spec, &sink_->destination(topic));
    settle(*driver_, *sink_);
    const std::vector<ReadRecord> records = read_topic(topic);
    EXPECT_EQ(records.size(), 1U);
    return records.empty() ? ReadRecord{} : records[0];
  }

  std::unique_ptr<kafka::Kafka> kafka_;
  std::unique_ptr<core::Sink> sink_;
  std::unique_ptr<SinkDriver> driver_;
};

TEST_F(KafkaRecord, HasKeyValueTimestampAndTheFiveHeadersThenTheEventsOwn) {
  EventSpec spec = order(1);
  spec.headers = {{"traceparent", "00-ab-cd-01"}, {"empty", ""}, {"none", std::nullopt}};
  const ReadRecord record = delivered(spec, make_topic(1));
  EXPECT_EQ(record.key, spec.key);
  EXPECT_EQ(record.value, spec.payload);
  EXPECT_EQ(record.timestamp_ms, spec.commit_time.us / 1'000);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"id", core::to_string(numbered_id(1))},
      {"type", "OrderPlaced"},
      {"aggregate_type", "order"},
      {"position", "16/B374D848/3"},
      {"epoch", "7"},
      {"traceparent", "00-ab-cd-01"},
      {"empty", ""},
      {"none", "NULL"}};
  EXPECT_EQ(record.headers, expected);
}

TEST_F(KafkaRecord, TellsAbsentAndEmptyPayloadAndKeyApart) {
  EventSpec tombstone = order(1);
  tombstone.payload = std::nullopt;
  EXPECT_EQ(delivered(tombstone, make_topic(1)).value, std::nullopt);
  EventSpec empty = order(2);
  empty.payload = "";
  EXPECT_EQ(delivered(empty, make_topic(1)).value, "");
  EventSpec unkeyed = order(3);
  unkeyed.key = std::nullopt;
  EXPECT_EQ(delivered(unkeyed, make_topic(4)).key, std::nullopt);
  EventSpec empty_key = order(4);
  empty_key.key = "";
  EXPECT_EQ(delivered(empty_key, make_topic(4)).key, "");
}

TEST_F(KafkaRecord, LandsInThePartitionThatItsKeyHashesTo) {
  const std::string topic = make_topic(7);
  const core::Destination* destination = &sink_->destination(topic);
  for (uint64_t number = 0; number < 100; ++number) {
    EventSpec spec = order(number);
    spec.key = "key-" + std::to_string(number);
    driver_->add(spec, destination);
  }
  settle(*driver_, *sink_);
  const std::vector<ReadRecord> records = read_topic(topic);
  ASSERT_EQ(records.size(), 100U);
  for (const ReadRecord& record : records) {
    EXPECT_EQ(record.partition, kafka::partition_of_key(*record.key, 7)) << *record.key;
  }
}

TEST_F(KafkaRecord, Of30MegabytesPassesWhereTheTopicAllowsIt) {
  EventSpec spec = order(1);
  spec.payload = std::string(30 * 1024 * 1024, 'L');
  const ReadRecord record = delivered(spec, make_topic(1, {{"max.message.bytes", "40000000"}}));
  EXPECT_TRUE(record.value == spec.payload);
}

TEST_F(KafkaRecord, TheFactsOfATopicAreRead) {
  const std::string topic = make_topic(3, {{"max.message.bytes", "77777"},
                                           {"cleanup.policy", "compact"},
                                           {"message.timestamp.after.max.ms", "60000"}});
  const core::Destination& read = sink_->destination(topic);
  until(std::chrono::seconds(20), [&] {
    driver_->step(real_now());
    wait_for({sink_->interest(std::chrono::steady_clock::now())}, std::chrono::milliseconds(20));
    return read.state == core::DestinationState::usable;
  });
  EXPECT_EQ(read.record_bytes_max, 77'777U);
  EXPECT_TRUE(read.key_required);
  EXPECT_EQ(read.timestamp_ahead_max, std::chrono::minutes(1));
}

TEST_F(KafkaRecord, ATopicIsNeverMadeByAskingForIt_AndIsFoundWhenItIsMadeLater) {
  const std::string name = unique_name("late");
  const core::Destination& late = sink_->destination(name);
  const auto step = [&] {
    driver_->step(real_now());
    wait_for({sink_->interest(std::chrono::steady_clock::now())}, std::chrono::milliseconds(20));
  };
  until(std::chrono::seconds(10), [&] {
    step();
    return late.state == core::DestinationState::missing;
  });
  EXPECT_EQ(late.state, core::DestinationState::missing);
  make_topic(1, {}, name);
  driver_->add(order(1), &late);
  settle(*driver_, *sink_);
  EXPECT_EQ(read_topic(name).size(), 1U);
}

// ---- dead letters

class KafkaDeadLetter : public KafkaRecord {
 protected:
  KafkaDeadLetter() : pipeline_(unique_name("pipe")), journal_(kafka_->journal(pipeline_)) {}

  std::vector<ReadRecord> letters(const EventSpec& spec, const core::Destination* destination,
                                  const std::string& topic) {
    SinkDriver driver(*journal_, core::Purpose::dead_letter);
    driver.add(spec, destination, &cause_);
    settle(driver, *journal_);
    EXPECT_EQ(driver.count(State::delivered), 1U);
    return read_topic(topic);
  }

  const core::Cause cause_{"MSG_SIZE_TOO_LARGE", "2000000 bytes, the topic takes 1048588"};
  const std::string pipeline_;
  std::unique_ptr<core::Sink> journal_;
};

TEST_F(KafkaDeadLetter, HoldsTheRecordVerbatimAndItsCauseInHeaders) {
  core::Destination destination;
  destination.name = unique_name("orders");
  destination.state = core::DestinationState::usable;
  EventSpec spec = order(5);
  spec.payload = std::string("\x00\xff\x01 bytes", 10);
  spec.headers = {{"traceparent", "00-ab-cd-01"}};
  spec.commit_time.us += 86'400'000'000;  // what a broker refuses
  const auto found = letters(spec, &destination, destination.name + ".dead-letter");
  ASSERT_EQ(found.size(), 1U);
  const ReadRecord& letter = found[0];
  EXPECT_EQ(letter.key, spec.key);
  EXPECT_EQ(letter.value, spec.payload);
  EXPECT_EQ(letter.header("id"), core::to_string(numbered_id(5)));
  EXPECT_EQ(letter.header("traceparent"), "00-ab-cd-01");
  EXPECT_EQ(letter.header("outbox.error.code"), "MSG_SIZE_TOO_LARGE");
  EXPECT_EQ(letter.header("outbox.error.topic"), destination.name);
  EXPECT_EQ(letter.header("outbox.error.pipeline"), pipeline_);
  EXPECT_EQ(letter.header("outbox.error.attempts"), "0");
  EXPECT_EQ(letter.header("outbox.error.record_time"), std::to_string(spec.commit_time.us / 1'000));
  EXPECT_LE(std::abs(letter.timestamp_ms - real_now().wall.us / 1'000), 60'000);
}

TEST_F(KafkaDeadLetter, IsReadableByToolsForTheDeadLettersOfConnectAndSpring) {
  core::Destination destination;
  destination.name = unique_name("orders");
  destination.state = core::DestinationState::usable;
  // The reader separates headers by commas, and takes no zero bytes.
  const core::Cause cause{"MSG_SIZE_TOO_LARGE", "2000000 bytes"};
  SinkDriver driver(*journal_, core::Purpose::dead_letter);
  driver.add(order(6), &destination, &cause);
  settle(driver, *journal_);
  const auto found = read_topic(destination.name + ".dead-letter");
  ASSERT_EQ(found.size(), 1U);
  const ReadRecord& letter = found[0];
  const std::string exception = "org.apache.kafka.common.errors.RecordTooLargeException";
  EXPECT_EQ(letter.header("__connect.errors.topic"), destination.name);
  EXPECT_EQ(letter.header("__connect.errors.partition"), "-1");
  EXPECT_EQ(letter.header("__connect.errors.offset"), "-1");
  EXPECT_EQ(letter.header("__connect.errors.connector.name"), pipeline_);
  EXPECT_EQ(letter.header("__connect.errors.stage"), "KAFKA_PRODUCE");
  EXPECT_EQ(letter.header("__connect.errors.exception.class.name"), exception);
  EXPECT_EQ(letter.header("__connect.errors.exception.message"), "2000000 bytes");
  EXPECT_EQ(letter.header("kafka_dlt-original-topic"), destination.name);
  EXPECT_EQ(letter.header("kafka_dlt-original-partition"), std::string(4, '\xff'));
  EXPECT_EQ(letter.header("kafka_dlt-original-offset"), std::string(8, '\xff'));
  EXPECT_EQ(letter.header("kafka_dlt-exception-fqcn"), exception);
  EXPECT_EQ(letter.header("kafka_dlt-exception-message"), "2000000 bytes");
}

TEST_F(KafkaDeadLetter, WithoutAUsableTopicGoesToThePipelines) {
  EXPECT_EQ(letters(order(1), nullptr, pipeline_ + ".dead-letter").size(), 1U);
  core::Destination missing;
  missing.name = unique_name("gone");
  missing.state = core::DestinationState::missing;
  const auto found = letters(order(2), &missing, pipeline_ + ".dead-letter");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].header("outbox.error.topic"), missing.name);
}

TEST_F(KafkaDeadLetter, OfTheLargestRowFitsTheTopicThatTheRelayMakes) {
  EventSpec spec = order(1);
  spec.payload = std::string(core::kPayloadBytesMax, 'L');
  const auto found = letters(spec, nullptr, pipeline_ + ".dead-letter");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].value == spec.payload);
}

TEST_F(KafkaDeadLetter, ATopicThatIsTooSmallStopsThePipelineWithTheCommandThatMendsIt) {
  const std::string topic =
      make_topic(1, {{"max.message.bytes", "100000"}}, pipeline_ + ".dead-letter");
  const auto prepared =
      kafka::prepare_dead_letters(client_options(), pipeline_, {}, std::chrono::seconds(10));
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().fault, core::Fault::fatal);
  EXPECT_NE(prepared.error().hint.find("kafka-configs.sh"), std::string::npos);

  SinkDriver driver(*journal_, core::Purpose::dead_letter);
  driver.add(order(1), nullptr, &cause_);
  settle(driver, *journal_);
  EXPECT_EQ(driver.item(0).state, State::failed);
  EXPECT_NE(driver.item(0).cause.find("max.message.bytes"), std::string::npos)
      << driver.item(0).cause;
}

TEST_F(KafkaDeadLetter, PreparingMakesTheTopicsOfTheRoutesAndOfThePipeline) {
  const std::string topic = unique_name("routed");
  const auto prepared =
      kafka::prepare_dead_letters(client_options(), pipeline_, {topic}, std::chrono::seconds(10));
  ASSERT_TRUE(prepared.ok()) << core::to_string(prepared.error());
  for (const std::string& name : {topic + ".dead-letter", pipeline_ + ".dead-letter"}) {
    EXPECT_TRUE(read_topic(name).empty());
  }
  EXPECT_TRUE(
      kafka::prepare_dead_letters(client_options(), pipeline_, {topic}, std::chrono::seconds(10)))
      << "a second time changes nothing";
}

TEST(KafkaUnreachable, IsAnErrorThatMayPass) {
  kafka::ClientOptions options;
  options.bootstrap_servers = "127.0.0.1:1";
  const auto prepared =
      kafka::prepare_dead_letters(options, "p", {}, std::chrono::milliseconds(500));
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().fault, core::Fault::retry);
  const auto seen = kafka::look_at_cluster(options, "p", {}, std::chrono::milliseconds(500));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].level, kafka::Observation::Level::unreachable);
}

TEST(KafkaDoctor, NamesTheClusterTheMissingTopicAndTheRemedy) {
  const std::string small = make_topic(2, {{"max.message.bytes", "10000"}});
  const auto seen = kafka::look_at_cluster(client_options(), "p", {small, "no.such.topic"},
                                           std::chrono::seconds(5));
  ASSERT_GE(seen.size(), 3U);
  EXPECT_NE(seen[0].what.find(kafka_bootstrap()), std::string::npos) << seen[0].what;
  EXPECT_EQ(seen[1].level, kafka::Observation::Level::warn) << seen[1].what;
  EXPECT_EQ(seen[2].level, kafka::Observation::Level::error);
  EXPECT_NE(seen[2].fix.find("--create --topic no.such.topic"), std::string::npos) << seen[2].fix;
}

}  // namespace
}  // namespace outbox::support
