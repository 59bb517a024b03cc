// Records of the formats cloudevents and debezium, byte by byte.

#include <gtest/gtest.h>

#include "connectors/kafka/format/formats.h"
#include "connectors/kafka/format/json_text.h"

namespace outbox::kafka {
namespace {

using core::Event;
using core::Extra;
using core::PayloadKind;

constexpr FormatContext kContext{core::PositionForm::number, 3};

Event order_placed() {
  Event event;
  event.id = *core::parse_uuid("11111111-2222-3333-4444-555555555555");
  event.aggregate_type = "order";
  event.aggregate_id = "4711";
  event.event_type = "OrderPlaced";
  event.payload = R"({"total": 12.50})";
  event.payload_kind = PayloadKind::json;
  event.commit_time.us = 1'767'323'045'678'900;
  event.position = {17, 0};
  return event;
}

// The record as one text, so that a golden record is one string.
std::string shown(const FormattedRecord& record) {
  const auto text = [](std::optional<std::string_view> view) {
    return view ? std::string(*view) : std::string("(null)");
  };
  std::string all = "key " + text(record.key) + "\n";
  for (const core::Header& header : record.headers) {
    all += std::string(header.name) + " = " + text(header.value) + "\n";
  }
  return all + text(record.value);
}

class FormatTest : public testing::Test {
 protected:
  std::string written(const RouteFormat& format, const Event& event) {
    Formats formats({format});
    EXPECT_FALSE(formats.plain(0));
    EXPECT_TRUE(formats.plain(1));
    auto cause = formats.address(0, event, record);
    if (!cause) cause = formats.write(0, event, kContext, record);
    // Shown here: texts that the format owns end with it.
    return cause ? cause->code : shown(record);
  }

  FormattedRecord record;
};

// ---- CloudEvents

CloudEventsOptions cloud_events(CloudEventsOptions::Mode mode) {
  return {mode, "/shop/${aggregate_type}", ""};
}

TEST_F(FormatTest, ABinaryCloudEventHasItsAttributesAsHeadersAndThePayloadAsItIs) {
  const Event event = order_placed();
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::binary), event),
            "key 4711\n"
            "ce_specversion = 1.0\n"
            "ce_id = 11111111-2222-3333-4444-555555555555\n"
            "ce_source = /shop/order\n"
            "ce_type = OrderPlaced\n"
            "ce_subject = 4711\n"
            "ce_time = 2026-01-02T03:04:05.6789Z\n"
            "ce_aggregatetype = order\n"
            "content-type = application/json\n"
            "position = 17\n"
            "epoch = 3\n"
            "{\"total\": 12.50}");
  EXPECT_EQ(record.value->data(), event.payload->data());
  EXPECT_EQ(record.timestamp_ms, 1'767'323'045'678);
}

TEST_F(FormatTest, AStructuredCloudEventIsOneDocumentWithThePayloadsJsonInIt) {
  Event event = order_placed();
  const core::Header own[] = {{"tenant", "a"}, {"traceparent", std::nullopt}};
  event.headers = own;
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::structured), event),
            "key 4711\n"
            "content-type = application/cloudevents+json; charset=UTF-8\n"
            "position = 17\n"
            "epoch = 3\n"
            "tenant = a\n"
            "traceparent = (null)\n"
            R"({"specversion":"1.0","id":"11111111-2222-3333-4444-555555555555",)"
            R"("source":"/shop/order","type":"OrderPlaced","subject":"4711",)"
            R"("time":"2026-01-02T03:04:05.6789Z","aggregatetype":"order",)"
            R"("datacontenttype":"application/json","data":{"total": 12.50}})");
}

TEST_F(FormatTest, BytesInAStructuredCloudEventAreBase64) {
  Event event = order_placed();
  event.payload = std::string_view("\x00\xff\x01{", 4);
  event.payload_kind = PayloadKind::bytes;
  EXPECT_TRUE(written(cloud_events(CloudEventsOptions::Mode::structured), event)
                  .ends_with(R"("datacontenttype":"application/octet-stream",)"
                             R"("data_base64":"AP8Bew=="})"));
}

TEST_F(FormatTest, TheEventsOwnContentTypeCountsAndBytesThatAreJsonAreEmbedded) {
  Event event = order_placed();
  event.payload_kind = PayloadKind::bytes;
  const core::Header own[] = {{"Content-Type", "application/vnd.shop+json; v=1"}};
  event.headers = own;
  EXPECT_TRUE(written(cloud_events(CloudEventsOptions::Mode::structured), event)
                  .ends_with(R"("datacontenttype":"application/vnd.shop+json; v=1",)"
                             R"("data":{"total": 12.50}})"));
  event.payload = "{\"total\": ";
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::structured), event), "DATA_NOT_JSON");
}

TEST_F(FormatTest, TextThatIsNoJsonIsAStringInAStructuredCloudEvent) {
  Event event = order_placed();
  event.payload = "two\n\"words\"\x01";
  event.payload_kind = PayloadKind::text;
  EXPECT_TRUE(written(cloud_events(CloudEventsOptions::Mode::structured), event)
                  .ends_with(R"("datacontenttype":"text/plain; charset=utf-8",)"
                             R"("data":"two\n\"words\"\u0001"})"));
}

TEST_F(FormatTest, ACloudEventWithoutPayloadIsATombstoneOrHasNoData) {
  Event event = order_placed();
  event.payload.reset();
  event.aggregate_id.reset();
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::binary), event),
            "key (null)\n"
            "ce_specversion = 1.0\n"
            "ce_id = 11111111-2222-3333-4444-555555555555\n"
            "ce_source = /shop/order\n"
            "ce_type = OrderPlaced\n"
            "ce_time = 2026-01-02T03:04:05.6789Z\n"
            "ce_aggregatetype = order\n"
            "position = 17\n"
            "epoch = 3\n"
            "(null)");
  EXPECT_TRUE(written(cloud_events(CloudEventsOptions::Mode::structured), event)
                  .ends_with(R"("aggregatetype":"order"})"));
}

TEST_F(FormatTest, AnEventThatCannotBeACloudEventIsRefused) {
  Event event = order_placed();
  event.event_type = "";
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::binary), event),
            "CLOUDEVENT_WITHOUT_TYPE");
  event = order_placed();
  const core::Header own[] = {{"CE_id", "forged"}};
  event.headers = own;
  EXPECT_EQ(written(cloud_events(CloudEventsOptions::Mode::binary), event), "RESERVED_HEADER");
}

// ---- Debezium

TEST_F(FormatTest, ADebeziumRecordHasTheIdAndNothingElseThatTheTableDoesNotSay) {
  const Event event = order_placed();
  EXPECT_EQ(written(DebeziumOptions{}, event),
            "key 4711\n"
            "id = 11111111-2222-3333-4444-555555555555\n"
            "{\"total\": 12.50}");
  EXPECT_EQ(record.value->data(), event.payload->data());
}

DebeziumOptions json_values() {
  DebeziumOptions options;
  options.value_converter = DebeziumOptions::Converter::json;
  return options;
}

TEST_F(FormatTest, TheJsonConverterQuotesWhatIsText) {
  DebeziumOptions options = json_values();
  options.key_converter = DebeziumOptions::Converter::json;
  Event event = order_placed();
  EXPECT_EQ(written(options, event),
            "key \"4711\"\n"
            "id = 11111111-2222-3333-4444-555555555555\n"
            R"("{\"total\": 12.50}")");
  event.payload = std::string_view("\xff\xfe", 2);
  event.payload_kind = PayloadKind::bytes;
  EXPECT_TRUE(written(options, event).ends_with("\n\"//4=\""));
  event.payload.reset();
  event.aggregate_id.reset();
  EXPECT_EQ(written(options, event),
            "key null\n"
            "id = 11111111-2222-3333-4444-555555555555\n"
            "null");
}

TEST_F(FormatTest, AdditionalFieldsAreHeadersEnvelopePartitionAndTimestamp) {
  DebeziumOptions options = json_values();
  options.headers = {{0, "eventType"}, {1, "nothing"}, {6, "missing"}};
  options.envelope = {{2, "version"}, {3, "urgent"}, {0, "type"}, {1, "none"}, {6, "missing"}};
  options.partition_extra = 4;
  options.timestamp_extra = 5;
  Event event = order_placed();
  const Extra extras[] = {{"Order\"Placed\"", Extra::Kind::text, {}},
                          {std::nullopt, Extra::Kind::text, {}},
                          {"7", Extra::Kind::number, {}},
                          {"true", Extra::Kind::boolean, {}},
                          {"2", Extra::Kind::number, {}},
                          {"2001-02-03T04:05:06Z", Extra::Kind::time, {981'173'106'123'456}},
                          {std::nullopt, Extra::Kind::absent, {}}};
  event.extras = extras;
  EXPECT_EQ(written(options, event),
            "key 4711\n"
            "id = 11111111-2222-3333-4444-555555555555\n"
            "eventType = Order\"Placed\"\n"
            "nothing = (null)\n"
            R"({"payload":"{\"total\": 12.50}","version":7,"urgent":true,)"
            R"("type":"Order\"Placed\"","none":null})");
  EXPECT_EQ(record.partition, 2);
  EXPECT_EQ(record.timestamp_ms, 981'173'106'123);
}

TEST_F(FormatTest, AnEventThatIsNoRowHasNoAdditionalFields) {
  DebeziumOptions options = json_values();
  options.headers = {{0, "eventType"}};
  options.envelope = {{1, "version"}};
  options.partition_extra = 2;
  options.timestamp_extra = 3;
  EXPECT_EQ(written(options, order_placed()),
            "key 4711\n"
            "id = 11111111-2222-3333-4444-555555555555\n"
            R"({"payload":"{\"total\": 12.50}"})");
  EXPECT_EQ(record.partition, std::nullopt);
  EXPECT_EQ(record.timestamp_ms, 1'767'323'045'678);
}

TEST_F(FormatTest, APartitionThatIsNoneIsRefusedAndNullMeansByTheKey) {
  DebeziumOptions options;
  options.partition_extra = 0;
  Event event = order_placed();
  for (const Extra& extra :
       {Extra{"-1", Extra::Kind::number, {}}, Extra{"2", Extra::Kind::text, {}}}) {
    event.extras = {&extra, 1};
    EXPECT_EQ(written(options, event), "NO_SUCH_PARTITION");
  }
  const Extra null{std::nullopt, Extra::Kind::text, {}};
  event.extras = {&null, 1};
  EXPECT_TRUE(written(options, event).starts_with("key 4711"));
  EXPECT_EQ(record.partition, std::nullopt);
}

TEST_F(FormatTest, AnEmptyPayloadIsATombstoneOnlyIfAskedForAndNeverWhenItIsBytes) {
  DebeziumOptions options;
  Event event = order_placed();
  event.payload = " \t";
  EXPECT_TRUE(written(options, event).ends_with("\n \t"));
  options.empty_payload = DebeziumOptions::EmptyPayload::tombstone;
  EXPECT_TRUE(written(options, event).ends_with("(null)"));
  event.payload_kind = PayloadKind::bytes;
  EXPECT_TRUE(written(options, event).ends_with("\n \t"));
  options.value_converter = DebeziumOptions::Converter::json;
  event.payload.reset();
  EXPECT_TRUE(written(options, event).ends_with("(null)"));
}

struct Expansion {
  const char* payload;
  const char* expected;  // null: it stays a string
};

class JsonExpansionTest : public testing::TestWithParam<Expansion> {};

TEST_P(JsonExpansionTest, IsWhatTheConnectSchemaLeavesOfIt) {
  JsonExpansion expansion(JsonNulls::left_out);
  std::string out = "kept ";
  const bool expanded = expansion.expand(GetParam().payload, out);
  EXPECT_EQ(expanded, GetParam().expected != nullptr) << out;
  EXPECT_EQ(out, std::string("kept ") + (expanded ? GetParam().expected : ""));
}

INSTANTIATE_TEST_SUITE_P(
    Payloads, JsonExpansionTest,
    testing::Values(Expansion{R"({"b": 1, "a": [1, 2], "c": {"d": "x"}})",
                              R"({"b":1,"a":[1,2],"c":{"d":"x"}})"},
                    Expansion{R"({"n": null, "e": [], "o": {}})", R"({"o":{}})"},
                    Expansion{R"({"n": 01e400})", nullptr}, Expansion{R"({"n": 1.2.3})", nullptr},
                    Expansion{R"({"n": 2026-01-02})", nullptr},
                    Expansion{R"({"n": 12.50, "m": 1e400, "k": 9007199254740993})",
                              R"({"n":12.50,"m":1e400,"k":9007199254740993})"},
                    Expansion{R"({"t": true, "s": "\u00e9\"\u001f\/"})",
                              "{\"t\":true,\"s\":\"\xc3\xa9\\\"\\u001F/\"}"},
                    Expansion{R"([{"a": 1}, {"b": null}, null])", R"([{"a":1},{},null])"},
                    Expansion{R"({"a": 1, "a": 2})", R"({"a":2})"},
                    Expansion{R"([1, "x"])", nullptr}, Expansion{R"([1, 2147483648])", nullptr},
                    Expansion{R"({"a": [null]})", nullptr}, Expansion{R"([[1], []])", nullptr},
                    Expansion{"", nullptr}, Expansion{"12", nullptr}, Expansion{"\"x\"", nullptr},
                    Expansion{"{\"a\": 1", nullptr}, Expansion{"{\"a\": 1} x", nullptr},
                    Expansion{"{\"a\": tru}", nullptr}, Expansion{"{\"a\": nul}", nullptr},
                    Expansion{" {}", nullptr}));

TEST(JsonExpansionTest, NullsAreKeptWhenAskedFor) {
  JsonExpansion expansion(JsonNulls::kept);
  std::string out;
  EXPECT_TRUE(expansion.expand(R"({"a": null, "b": [null], "c": []})", out));
  EXPECT_EQ(out, R"({"a":null,"b":[null]})");
}

TEST(JsonExpansionTest, WhatIsDeeperThan128LevelsStaysAString) {
  JsonExpansion expansion(JsonNulls::left_out);
  std::string out;
  EXPECT_TRUE(expansion.expand(std::string(127, '[') + "1" + std::string(127, ']'), out));
  out.clear();
  EXPECT_FALSE(expansion.expand(std::string(200, '[') + "1" + std::string(200, ']'), out));
  EXPECT_EQ(out, "");
}

TEST(JsonTextTest, CharactersBeyondUFfffAreTwoEscapesAndBytesThatAreNonePass) {
  std::string out;
  append_json_string(out, "\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80 \xf0\x9f\x98 \xff");
  EXPECT_EQ(out, "\"\xc3\xb6 \xe2\x82\xac \\uD83D\\uDE00 \xf0\x9f\x98 \xff\"");
}

TEST(JsonTextTest, Base64HasItsPadding) {
  for (const auto& [bytes, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}}) {
    std::string out;
    append_base64(out, bytes);
    EXPECT_EQ(out, expected);
  }
}

}  // namespace
}  // namespace outbox::kafka
