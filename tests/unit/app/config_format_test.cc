// What a route says of its records' format and of its topic by a regular expression.

#include <gtest/gtest.h>

#include "relay/app/config/topic_regex.h"
#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

std::string with_route(const std::string& keys) {
  return kMinimal + "[[pipeline.route]]\n" + keys + "\n";
}

RecordFormat format_of(const std::string& keys) {
  const Loaded loaded = load_text(with_route("topic = \"t\"\n" + keys));
  EXPECT_TRUE(loaded.config) << problems_of(with_route("topic = \"t\"\n" + keys));
  if (!loaded.config) return {};
  const PipelineConfig& pipeline = loaded.config->pipelines[0];
  EXPECT_EQ(pipeline.formats.size(), pipeline.routes.size());
  const bool plain = std::holds_alternative<PlainFormatConfig>(pipeline.formats[0]);
  EXPECT_EQ(pipeline.routes[0].weighing == flow::Weighing::by_event, plain);
  return pipeline.formats[0];
}

TEST(ConfigFormatTest, WithoutAFormatRecordsArePlain) {
  EXPECT_EQ(format_of(""), RecordFormat(PlainFormatConfig{}));
  EXPECT_EQ(load_text(kMinimal).config->pipelines[0].formats,
            std::vector<RecordFormat>{PlainFormatConfig{}});
}

TEST(ConfigFormatTest, CloudEventsAreBinaryUnlessTheRouteSaysMore) {
  EXPECT_EQ(format_of("format = \"cloudevents\""), RecordFormat(CloudEventsFormatConfig{}));
  const CloudEventsFormatConfig more{CloudEventsFormatConfig::Mode::structured,
                                     "/shop/${aggregate_type}", "application/json"};
  EXPECT_EQ(format_of("format = \"cloudevents\"\ncloudevents = { mode = \"structured\", source = "
                      "\"/shop/${aggregate_type}\", data_content_type = \"application/json\" }"),
            RecordFormat(more));
}

TEST(ConfigFormatTest, EveryOptionOfDebeziumIsRead) {
  EXPECT_EQ(format_of("format = \"debezium\""), RecordFormat(DebeziumFormatConfig{}));
  using Placement = DebeziumFormatConfig::Placement;
  DebeziumFormatConfig all;
  all.key_converter = DebeziumFormatConfig::Converter::bytes;
  all.value_converter = DebeziumFormatConfig::Converter::json;
  all.expand_json_payload = true;
  all.json_payload_null_behavior = DebeziumFormatConfig::Nulls::optional_bytes;
  all.tombstone_on_empty_payload = true;
  all.additional_error_on_missing = false;
  all.additional = {{"type", Placement::header, "eventType"},
                    {"version", Placement::envelope, "version"},
                    {"shard", Placement::partition, "shard"}};
  all.timestamp_column = "created_at";
  EXPECT_EQ(format_of(R"(format = "debezium"
[pipeline.route.debezium]
key_converter = "bytes"
value_converter = "json"
expand_json_payload = true
json_payload_null_behavior = "optional_bytes"
tombstone_on_empty_payload = true
additional_error_on_missing = false
additional_placement = "type:header:eventType, version : Envelope,shard:partition"
timestamp_column = "created_at")"),
            RecordFormat(all));
}

struct Mistake {
  const char* name;
  const char* keys;
  const char* says;
};

class ConfigFormatMistakeTest : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigFormatMistakeTest, IsRefusedWithTheRemedy) {
  const std::string problems = problems_of(with_route(GetParam().keys));
  EXPECT_NE(problems.find(GetParam().says), std::string::npos) << problems;
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ConfigFormatMistakeTest,
    testing::Values(
        Mistake{"Format", "topic = \"t\"\nformat = \"cloudevent\"",
                "Did you mean \"cloudevents\"?"},
        Mistake{"WithoutFormat", "topic = \"t\"\ndebezium = { }", "Add format = \"debezium\""},
        Mistake{"Source",
                "topic = \"t\"\nformat = \"cloudevents\"\ncloudevents = { source = \"\" }",
                "A CloudEvent must say where it comes from"},
        Mistake{"MediaType",
                "topic = \"t\"\nformat = \"cloudevents\"\ncloudevents = { data_content_type = "
                "\"json\" }",
                "is no media type"},
        Mistake{"Envelope",
                "topic = \"t\"\nformat = \"debezium\"\ndebezium = { additional_placement = "
                "\"a:envelope\" }",
                "Add value_converter = \"json\""},
        Mistake{"Placement",
                "topic = \"t\"\nformat = \"debezium\"\ndebezium = { additional_placement = "
                "\"a:haeder\" }",
                "\"a:haeder\", which is no column with a placement"},
        Mistake{"TwoPartitions",
                "topic = \"t\"\nformat = \"debezium\"\ndebezium = { additional_placement = "
                "\"a:partition,b:partition\" }",
                "two columns for the partition"},
        Mistake{"Truth",
                "topic = \"t\"\nformat = \"debezium\"\ndebezium = { expand_json_payload = \"yes\" "
                "}",
                "not true or false"},
        Mistake{"RegexAlone", "topic_regex = \"(.*)\"", "needs both topic_regex and"},
        Mistake{"RegexAndTopic",
                "topic = \"t\"\ntopic_regex = \"(.*)\"\ntopic_replacement = \"$1\"",
                "exclude each other"},
        Mistake{"BrokenRegex", "topic_regex = \"(\"\ntopic_replacement = \"a\"",
                "topic_regex in [[pipeline.route]] 1 of orders: missing closing parenthesis"},
        Mistake{"UnknownGroup", "topic_regex = \"(.*)\"\ntopic_replacement = \"${name}\"",
                "there is no group ${name}"},
        Mistake{"NoTopic", "format = \"debezium\"", "has no \"topic\""}),
    [](const auto& mistake) { return std::string(mistake.param.name); });

std::string topic(const std::string& regex, const std::string& replacement,
                  std::string_view aggregate_type) {
  const auto rule = make_topic_rule(regex, replacement);
  EXPECT_TRUE(rule.ok());
  return rule ? rule->name(aggregate_type) : "";
}

TEST(TopicRegexTest, TheRoutersDefaultPutsTheValueIntoTheTopic) {
  EXPECT_EQ(topic("(?<routedByValue>.*)", "outbox.event.${routedByValue}", "order"),
            "outbox.event.order");
}

TEST(TopicRegexTest, GroupsGoByNumberAndNameAndABackslashTakesTheNextCharacter) {
  EXPECT_EQ(topic("(\\w+)-(\\w+)", "$2.$1.events", "eu-order"), "order.eu.events");
  EXPECT_EQ(topic("(a)(b)?c", "$1$2\\$1\\\\", "ac"), "a$1\\");
  EXPECT_EQ(topic("(a)", "$12", "a"), "a2");  // as in Java: there is no group 12
  EXPECT_EQ(topic("(?i)(?<kind>order)(?=s).*", "${kind}", "Orders"), "Order");
}

TEST(TopicRegexTest, WhatItDoesNotMatchAsAWholeIsTheTopicItself) {
  EXPECT_EQ(topic("order", "orders", "order"), "orders");
  EXPECT_EQ(topic("order", "orders", "reorder"), "reorder");
}

TEST(TopicRegexTest, AMatchThatWouldGoOnForEverGivesNoTopic) {
  EXPECT_EQ(topic("(a|aa)+", "x", std::string(200, 'a') + "c"), "");
  EXPECT_EQ(topic("(.*)", "$1", std::string(5000, 'a')), "");
}

}  // namespace
}  // namespace outbox::app
