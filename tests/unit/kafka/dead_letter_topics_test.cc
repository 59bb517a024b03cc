#include "connectors/kafka/dead_letter_topics.h"

#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

core::Destination destination(const std::string& name, core::DestinationState state) {
  core::Destination made;
  made.name = name;
  made.state = state;
  return made;
}

TopicFacts facts(TopicAnswer answer, size_t record_bytes_max = 0) {
  TopicFacts made;
  made.topic = "orders.dead-letter";
  made.answer = answer;
  made.settings_read = true;
  made.record_bytes_max = record_bytes_max;
  return made;
}

TEST(DeadLetterTopics, StandBesideTheirTopic) {
  using core::DestinationState;
  const auto usable = destination("order.events", DestinationState::usable);
  EXPECT_EQ(dead_letter_topic(&usable, "orders"), "order.events.dead-letter");
  const auto unknown = destination("order.events", DestinationState::unknown);
  EXPECT_EQ(dead_letter_topic(&unknown, "orders"), "order.events.dead-letter");
}

TEST(DeadLetterTopics, AreThePipelinesWithoutAUsableTopic) {
  using core::DestinationState;
  EXPECT_EQ(dead_letter_topic(nullptr, "orders"), "orders.dead-letter");
  for (const auto state : {DestinationState::missing, DestinationState::denied}) {
    const auto unusable = destination("order.events", state);
    EXPECT_EQ(dead_letter_topic(&unusable, "orders"), "orders.dead-letter");
  }
  const auto long_name = destination(std::string(245, 'a'), DestinationState::usable);
  EXPECT_EQ(dead_letter_topic(&long_name, "orders"), "orders.dead-letter");
}

TEST(DeadLetterTopics, MustTakeTheLargestRowThatTheSchemaAllows) {
  EXPECT_FALSE(dead_letter_fault(facts(TopicAnswer::found, 40 * 1024 * 1024), "b:1"));
  const auto fault = dead_letter_fault(facts(TopicAnswer::found, 1'048'588), "b:1");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->fault, core::Fault::fatal);
  EXPECT_NE(fault->detail.find("1048588"), std::string::npos) << fault->detail;
  EXPECT_NE(fault->hint.find("kafka-configs.sh --bootstrap-server b:1"), std::string::npos);
}

TEST(DeadLetterTopics, ThatCannotBeMadeComeWithTheCommandToType) {
  const auto fault = dead_letter_fault(facts(TopicAnswer::missing), "b:1");
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->hint.find("kafka-topics.sh --bootstrap-server b:1 --create --topic "
                             "orders.dead-letter --partitions 1 --config max.message.bytes="),
            std::string::npos)
      << fault->hint;
}

TEST(DeadLetterTopics, AreNotBlamedForAnUnreachableBroker) {
  EXPECT_FALSE(dead_letter_fault(facts(TopicAnswer::unreachable), "b:1"));
}

}  // namespace
}  // namespace outbox::kafka
