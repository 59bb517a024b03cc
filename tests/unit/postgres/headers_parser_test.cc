#include "connectors/postgres/detail/headers_parser.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

using core::HeadersFault;

struct Parsed {
  HeadersFault fault = HeadersFault::none;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

Parsed parse(const std::string& json) {
  HeadersParser parser;
  Parsed parsed{parser.parse(json), {}};
  for (const core::Header& header : parser.headers()) {
    parsed.headers.emplace_back(
        std::string(header.name),
        header.value ? std::optional(std::string(*header.value)) : std::nullopt);
  }
  return parsed;
}

std::optional<std::string> only_value(const std::string& json) {
  const Parsed parsed = parse(json);
  EXPECT_EQ(parsed.fault, HeadersFault::none) << json;
  EXPECT_EQ(parsed.headers.size(), 1u) << json;
  return parsed.headers.empty() ? std::nullopt : parsed.headers[0].second;
}

std::string object_of(size_t names) {
  std::string json = "{";
  for (size_t i = 0; i < names; ++i) {
    json += (i == 0 ? "" : ", ") + ("\"name" + std::to_string(i)) + "\": \"v\"";
  }
  return json + "}";
}

TEST(HeadersParserTest, NoHeadersAndTheEmptyObjectAreNone) {
  EXPECT_EQ(parse("").fault, HeadersFault::none);
  EXPECT_EQ(parse("{}").fault, HeadersFault::none);
  EXPECT_TRUE(parse("{}").headers.empty());
}

TEST(HeadersParserTest, StringsComeUnescapedAndInOrder) {
  const Parsed parsed = parse(R"({"traceparent": "00-ab", "q\"uote": "l\u00e9\nb", "empty": ""})");
  ASSERT_EQ(parsed.headers.size(), 3u);
  EXPECT_EQ(parsed.headers[0].first, "traceparent");
  EXPECT_EQ(parsed.headers[0].second, "00-ab");
  EXPECT_EQ(parsed.headers[1].first, "q\"uote");
  EXPECT_EQ(parsed.headers[1].second, "l\xc3\xa9\nb");
  EXPECT_EQ(parsed.headers[2].second, "");
}

TEST(HeadersParserTest, NullIsNoValue) { EXPECT_EQ(only_value(R"({"a": null})"), std::nullopt); }

TEST(HeadersParserTest, NumbersKeepTheirTextAndNeverPassThroughADouble) {
  EXPECT_EQ(only_value(R"({"a": 9007199254740993})"), "9007199254740993");
  EXPECT_EQ(only_value(R"({"a": 1234567890123456789012345678901234567890})"),
            "1234567890123456789012345678901234567890");
  EXPECT_EQ(only_value(R"({"a": -0.10 })"), "-0.10");
}

TEST(HeadersParserTest, BooleansAndNestedValuesAreTheirJsonText) {
  EXPECT_EQ(only_value(R"({"a": true})"), "true");
  EXPECT_EQ(only_value(R"({"a": {"b": [1, "}"]}})"), R"({"b": [1, "}"]})");
  EXPECT_EQ(only_value(R"({"a": [1, {"c": null}]})"), R"([1, {"c": null}])");
}

TEST(HeadersParserTest, TheLastOfTwoEqualNamesWinsAsJsonbHasIt) {
  const Parsed parsed = parse(R"({"a": "1", "b": "2", "a": "3"})");
  ASSERT_EQ(parsed.headers.size(), 2u);
  EXPECT_EQ(parsed.headers[0].first, "a");
  EXPECT_EQ(parsed.headers[0].second, "3");
}

TEST(HeadersParserTest, AHundredNamesPassAndOneMoreIsTooMany) {
  EXPECT_EQ(parse(object_of(100)).headers.size(), 100u);
  EXPECT_EQ(parse(object_of(101)).fault, HeadersFault::too_many);
  EXPECT_TRUE(parse(object_of(101)).headers.empty());
}

TEST(HeadersParserTest, WhatIsNoObjectIsAFaultAndLeavesNothing) {
  for (const char* json : {"[]", "null", "\"a\"", "1", "true", "{", "{\"a\"}", "{\"a\": }", "x",
                           R"({"a": "1"} x)", R"({"a": "1"}{})", R"({"a": "\ud800"})"}) {
    EXPECT_EQ(parse(json).fault, HeadersFault::not_an_object) << json;
    EXPECT_TRUE(parse(json).headers.empty()) << json;
  }
}

TEST(HeadersParserTest, JsonOfDepth100000DoesNotCrash) {
  const std::string deep =
      R"({"a": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  const Parsed parsed = parse(deep);
  EXPECT_TRUE(parsed.fault == HeadersFault::not_an_object || parsed.headers.size() == 1);
}

TEST(HeadersParserTest, OneParserServesManyRows) {
  HeadersParser parser;
  ASSERT_EQ(parser.parse(object_of(50)), HeadersFault::none);
  EXPECT_EQ(parser.headers().size(), 50u);
  ASSERT_EQ(parser.parse("{}"), HeadersFault::none);
  EXPECT_TRUE(parser.headers().empty());
  ASSERT_EQ(parser.parse(R"({"ab": "cde"})"), HeadersFault::none);
  EXPECT_EQ(parser.text_bytes(), 5u);
}

}  // namespace
}  // namespace outbox::postgres
