// Topic names that no broker takes are refused at start (fault table 6b, "topic \"\", \".\", ...").

#include <gtest/gtest.h>

#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

std::string problem_of_topic(const std::string& topic) {
  return problems_of(kMinimal + "[[pipeline.route]]\ntopic = \"" + topic + "\"\n");
}

TEST(ConfigTopicTest, TakesWhatKafkaTakes) {
  for (const std::string topic : {"a", "order.events", "A_b-9.x", "outbox.${aggregate_type}.v1"}) {
    EXPECT_EQ(problem_of_topic(topic), "") << topic;
  }
}

TEST(ConfigTopicTest, RefusesWhatNoBrokerTakes) {
  for (const std::string topic : {"", ".", "..", "order events", "ordér", "a/b", "a:b", "a\\nb"}) {
    EXPECT_NE(problem_of_topic(topic).find("is not a name that Kafka takes"), std::string::npos)
        << topic;
  }
}

TEST(ConfigTopicTest, LeavesRoomForTheDeadLetterTopicsName) {
  EXPECT_EQ(problem_of_topic(std::string(237, 'a')), "");
  EXPECT_NE(problem_of_topic(std::string(238, 'a')).find("use at most 237"), std::string::npos);
}

TEST(ConfigTopicTest, RefusesOtherPlaceholders) {
  EXPECT_NE(problem_of_topic("x.${event_type}").find("unknown placeholder ${event_type}"),
            std::string::npos);
  EXPECT_NE(problem_of_topic("x.${aggregate_type").find("is not closed"), std::string::npos);
}

TEST(ConfigTopicTest, AggregateTypeIsAPlaceholderInTopicsOnly) {
  EXPECT_NE(problems_of(kSource + "slot = \"${aggregate_type}\"\n").find("stands in `topic` only"),
            std::string::npos);
}

}  // namespace
}  // namespace outbox::app
