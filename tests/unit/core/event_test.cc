#include "relay/core/event.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/event_maker.h"

namespace outbox::core {
namespace {

using support::difference;
using support::EventMaker;
using support::EventSpec;

constexpr char kUuid[] = "0b0e4d21-7a11-4c0a-9f3e-00000000beef";

EventSpec full_spec() {
  EventSpec spec;
  spec.number = 7;
  spec.key = "customer-1";
  spec.payload = std::string("bytes \0 with a zero", 19);
  spec.headers = {{"traceparent", "00-ab-cd-01"}, {"null", std::nullopt}, {"empty", ""}};
  spec.commit_time = {1'700'000'000'000'000};
  spec.position = {0x1600000000, 3};
  spec.seq = 4711;
  return spec;
}

TEST(UuidTest, ReadsAndPrintsAsPostgresDoes) {
  const auto id = parse_uuid(kUuid);
  ASSERT_TRUE(id);
  EXPECT_EQ(to_string(*id), kUuid);
  EXPECT_EQ(to_string(Uuid{}), "00000000-0000-0000-0000-000000000000");
}

TEST(UuidTest, UpperCaseIsTheSameId) {
  EXPECT_EQ(parse_uuid("0B0E4D21-7A11-4C0A-9F3E-00000000BEEF"), parse_uuid(kUuid));
}

TEST(UuidTest, WhatIsNoUuidIsNotRead) {
  for (const char* text :
       {"", "0b0e4d21-7a11-4c0a-9f3e-00000000bee", "0b0e4d21-7a11-4c0a-9f3e-00000000beef0",
        "0b0e4d217a11-4c0a-9f3e-00000000beef-", "0b0e4d21x7a11-4c0a-9f3e-00000000beef",
        "0b0e4d21-7a11-4c0a-9f3e-00000000beeg", "{b0e4d21-7a11-4c0a-9f3e-00000000bee}",
        "0b0e4d21-7a11-4c0a-9f3e-0000-000beef"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

TEST(EventTest, WeighsEverythingThatGoesIntoARecord) {
  Event event;
  EXPECT_EQ(event.bytes(), 16U);
  event.aggregate_type = "1234";
  event.event_type = "123";
  event.aggregate_id = "12";
  event.payload = "1";
  EXPECT_EQ(event.bytes(), 16U + 10);
  const Header headers[] = {{"name", "value"}, {"null", std::nullopt}};
  event.headers = headers;
  EXPECT_EQ(event.bytes(), 16U + 10 + 13);
}

TEST(EventTest, AnAbsentPayloadAnEmptyOneAndTheJsonNullAreThreeThings) {
  EventMaker maker;
  EventSpec spec = full_spec();
  spec.payload = std::nullopt;
  EXPECT_FALSE(maker.make(spec).event.payload.has_value());
  spec.payload = "";
  EXPECT_EQ(maker.make(spec).event.payload, "");
  spec.payload = "null";
  EXPECT_EQ(maker.make(spec).event.payload, "null");
  maker.let_go();
}

TEST(DetachTest, TakesEveryByteAlongAndPinsNobodyElsesChunk) {
  EventMaker maker;
  ChunkPool own;
  ChunkRef chunk;
  Event detached;
  {
    const Item item = maker.make(full_spec());
    detached = detach(item.event, own, chunk);
    maker.let_go();
  }
  EXPECT_EQ(maker.pool().held_bytes(), 0U) << "the shared chunk is free";
  EXPECT_EQ(difference(full_spec(), detached), "");
  EXPECT_EQ(detached.seq, 4711U);
  EXPECT_FALSE(chunk->shared());
  EXPECT_LT(own.held_bytes(), detached.bytes() + 200) << "it weighs what the event weighs";
}

TEST(DetachTest, TakesFurtherColumnsAlongToo) {
  EventMaker maker;
  ChunkPool own;
  ChunkRef chunk;
  Item item = maker.make(full_spec());
  std::string text = "seven";
  Extra extras[] = {{text, Extra::Kind::text, {}},
                    {std::nullopt, Extra::Kind::absent, {}},
                    {"1", Extra::Kind::time, {1}}};
  const size_t without = item.event.bytes();
  item.event.extras = extras;
  EXPECT_EQ(item.event.bytes(), without + 6);
  const Event detached = detach(item.event, own, chunk);
  text = "-----";
  extras[2].time.us = 2;
  ASSERT_EQ(detached.extras.size(), 3U);
  EXPECT_EQ(detached.extras[0].text, "seven");
  EXPECT_EQ(detached.extras[1].kind, Extra::Kind::absent);
  EXPECT_EQ(detached.extras[2].time.us, 1);
  EXPECT_EQ(difference(full_spec(), detached), "");
  maker.let_go();
}

TEST(DetachTest, WhatIsAbsentStaysAbsent) {
  EventMaker maker;
  ChunkPool own;
  ChunkRef chunk;
  EventSpec bare;
  bare.number = 8;
  bare.aggregate_type = "";
  bare.event_type = "";
  const Item item = maker.make(bare);
  const Event detached = detach(item.event, own, chunk);
  EXPECT_EQ(difference(bare, detached), "");
  EXPECT_FALSE(detached.aggregate_id.has_value());
  EXPECT_FALSE(detached.payload.has_value());
  EXPECT_TRUE(detached.headers.empty());
  maker.let_go();
}

}  // namespace
}  // namespace outbox::core
