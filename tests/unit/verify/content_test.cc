#include "relay/verify/content.h"

#include <gtest/gtest.h>

#include <vector>

namespace outbox::verify {
namespace {

constexpr std::string_view kId = "11111111-2222-3333-4444-555555555555";

struct Written {
  std::optional<std::string_view> key = "4711";
  std::optional<std::string_view> value = "{}";
  std::vector<core::Header> headers = {{"id", kId}, {"type", "changed"}, {"tenant", "a"}};
  RecordView view() const { return {key, value, headers}; }
};

class ContentTest : public testing::Test {
 protected:
  bool same(const Written& a, const Written& b) {
    return hasher.content(a.view()) == hasher.content(b.view());
  }
  Hasher hasher;
};

TEST_F(ContentTest, AnyChangedByteOfKeyValueOrHeadersIsSeen) {
  const Written before;
  EXPECT_TRUE(same(before, Written()));
  Written key, value, header, name, order, more;
  key.key = "4712";
  value.value = "{ }";
  header.headers[2].value = "b";
  name.headers[2].name = "tenanT";
  std::swap(order.headers[1], order.headers[2]);
  more.headers.push_back({"x", ""});
  for (const Written& after : {key, value, header, name, order, more}) {
    EXPECT_FALSE(same(before, after));
  }
}

TEST_F(ContentTest, NothingIsNotAnEmptyText) {
  Written none, empty;
  none.value = std::nullopt;
  empty.value = "";
  EXPECT_FALSE(same(none, empty));
  none = empty = Written();
  none.key = std::nullopt;
  empty.key = "";
  EXPECT_FALSE(same(none, empty));
  EXPECT_NE(key_hash(std::nullopt), key_hash(""));
}

TEST_F(ContentTest, BytesThatMoveFromOneFieldToTheNextAreSeen) {
  Written a, b;
  a.headers[2] = {"ab", "c"};
  b.headers[2] = {"a", "bc"};
  EXPECT_FALSE(same(a, b));
}

TEST_F(ContentTest, WhatTheRelayMayWriteDifferentlyIsLeftOut) {
  Written sent_again;
  sent_again.headers.insert(sent_again.headers.begin() + 2,
                            {{"position", "16/B374D848/3"}, {"epoch", "7"}});
  sent_again.headers.push_back({"outbox.error.code", "NO_ROUTE"});
  sent_again.headers.push_back({"outbox.replays", "2"});
  sent_again.headers.push_back({"__connect.errors.stage", "KAFKA_PRODUCE"});
  sent_again.headers.push_back({"kafka_dlt-exception-fqcn", "NO_ROUTE"});
  EXPECT_TRUE(same(Written(), sent_again));
}

TEST_F(ContentTest, TheTimeOfACloudEventIsLeftOutAndNothingElse) {
  const auto structured = [](std::string_view json) {
    return Written{"k", json, {{"content-type", "application/cloudevents+json; charset=UTF-8"}}};
  };
  const Written one = structured(R"({"id":"1","time":"2026-01-01T00:00:00Z","data":{"a":1}})");
  const Written later = structured(R"({"id":"1","time":"2026-02-02T00:00:00Z","data":{"a":1}})");
  const Written other = structured(R"({"id":"1","time":"2026-01-01T00:00:00Z","data":{"a":2}})");
  EXPECT_TRUE(same(one, later));
  EXPECT_FALSE(same(one, other));
  const Written plain{"k", one.value, {}};
  const Written plain_later{"k", later.value, {}};
  EXPECT_FALSE(same(plain, plain_later));
}

TEST(RecordTest, TheIdIsFoundInEveryFormat) {
  const auto id = core::parse_uuid(kId);
  EXPECT_EQ(event_id(Written().view()), id);
  EXPECT_EQ(event_id(Written{"k", "", {{"ce_id", kId}}}.view()), id);
  const std::string json = "{\"specversion\":\"1.0\",\"id\":\"" + std::string(kId) + "\"}";
  EXPECT_EQ(event_id(Written{"k", json, {{"content-type", "application/cloudevents+json"}}}.view()),
            id);
  EXPECT_EQ(event_id(Written{"k", json, {}}.view()), std::nullopt);
  EXPECT_EQ(event_id(Written{"k", "", {{"id", "no uuid"}}}.view()), std::nullopt);
  EXPECT_EQ(event_id(Written{"k", "", {{"id", std::nullopt}}}.view()), std::nullopt);
}

TEST(RecordTest, PositionsOfBothKindsAreRead) {
  const auto of = [](std::string_view text) {
    return record_position(Written{"k", "", {{"position", text}}}.view());
  };
  EXPECT_EQ(of("4711").kind, PositionKind::number);
  EXPECT_EQ(of("4711").position, (core::Position{4711, 0}));
  EXPECT_EQ(of("16/B374D848/3").kind, PositionKind::lsn);
  EXPECT_EQ(of("16/B374D848/3").position, (core::Position{0x16B374D848, 3}));
  for (const char* broken : {"", "x", "16/B374D848", "16/B374D848/", "/3", "1/2/3/4"}) {
    EXPECT_EQ(of(broken).kind, PositionKind::none) << broken;
  }
}

}  // namespace
}  // namespace outbox::verify
