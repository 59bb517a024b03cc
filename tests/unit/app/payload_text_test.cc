// Bytes as people and JSON see them.

#include "relay/app/cli/payload_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "relay/app/cli/letter_json.h"
#include "relay/app/cli/table.h"

namespace outbox::app {
namespace {

using namespace std::string_literals;

TEST(PayloadTextTest, OnlyWholeCharactersAreUtf8) {
  for (const std::string& text :
       {""s, "a"s, "\0"s, "\u00e9\u20ac\U0001f600"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_TRUE(is_utf8(text)) << hex_of(text);
  }
  for (const std::string& text : {"\xff"s, "\xc3"s, "\xc0\x80"s, "\xe0\x80\x80"s, "\xed\xa0\x80"s,
                                  "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "a\x80"s}) {
    EXPECT_FALSE(is_utf8(text)) << hex_of(text);
  }
}

TEST(PayloadTextTest, WhatCouldMoveATerminalIsNotReadable) {
  EXPECT_TRUE(is_readable("a\n\t\r\u00e9"));
  EXPECT_FALSE(is_readable("\x1b[2J"));
  EXPECT_FALSE(is_readable("\u009b2J")) << "the one-character form of the same";
  EXPECT_EQ(one_line("a\x1b\n\xff\u009b\u00e9"), "a    \u00e9");
}

TEST(PayloadTextTest, Base64HasItsPadding) {
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foo"), "Zm9v");
  EXPECT_EQ(base64_of("\xff\xfe\xfd"), "//79");
  EXPECT_EQ(hex_of("\x00\xff"s), "00ff");
}

core::Letter letter_with(std::optional<std::string> payload) {
  core::Letter letter;
  letter.letter = 1;
  letter.content.emplace();
  letter.content->headers = "{\"a\":\n null}";
  if (payload) letter.content->payload_bytes = payload->size();
  letter.content->payload = std::move(payload);
  return letter;
}

TEST(PayloadTextTest, AJsonLineSaysHowItsPayloadIsWritten) {
  const auto json = [](std::optional<std::string> payload) {
    const std::string line = json_of(letter_with(std::move(payload)));
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return nlohmann::json::parse(line);
  };
  EXPECT_EQ(json("a\n\"\0"s)["payload"], "a\n\"\0"s);
  EXPECT_EQ(json("a")["payload_encoding"], "text");
  EXPECT_EQ(json("\xff")["payload"], "/w==");
  EXPECT_EQ(json("\xff")["payload_encoding"], "base64");
  EXPECT_TRUE(json(std::nullopt)["payload"].is_null());
  EXPECT_TRUE(json(std::nullopt)["headers"]["a"].is_null());
}

TEST(PayloadTextTest, APayloadThatWasNotAskedForIsNotInTheJson) {
  core::Letter letter = letter_with("x");
  letter.content->payload.reset();
  const auto json = nlohmann::json::parse(json_of(letter));
  EXPECT_EQ(json["payload_bytes"], 1);
  EXPECT_FALSE(json.contains("payload"));
}

TEST(PayloadTextTest, ColumnsOfATableStandUnderTheirHeadings) {
  std::ostringstream out, error;
  Table table({"KEY", "N"});
  table.add({"\u00e9\u00e9\u00e9\u00e9", "1"});
  table.add({"a\nb", "2"}, Shade::plain, "    below\n");
  table.write(Terminal{out, error});
  EXPECT_EQ(out.str(), "KEY   N\n\u00e9\u00e9\u00e9\u00e9  1\na b   2\n    below\n");
}

}  // namespace
}  // namespace outbox::app
