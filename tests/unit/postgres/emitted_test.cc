#include "connectors/postgres/detail/emitted.h"

#include <gtest/gtest.h>

#include "relay/core/event.h"
#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {
namespace {

TEST(EmittedTest, AMessageIsAnEvent) {
  OutboxRow row;
  row.seq = 7;
  const std::string content = wire::emitted();
  ASSERT_EQ(read_emitted(content, row), EmittedFault::none);
  EXPECT_EQ(core::to_string(row.id), wire::kUuidText);
  EXPECT_EQ(row.aggregate_type, "order");
  EXPECT_EQ(row.aggregate_id, "42");
  EXPECT_EQ(row.event_type, "OrderPlaced");
  EXPECT_EQ(row.headers, "{}");
  EXPECT_EQ(row.payload, "{}");
  EXPECT_EQ(row.seq, 0u);
}

TEST(EmittedTest, NullIsNotEmpty) {
  OutboxRow row;
  const std::string null = wire::number(0xffffffff, 4);
  const std::string empty = wire::number(0, 4);
  const std::string text = wire::number(1, 4) + "t";
  const std::string head = "\x01" + std::string(wire::kUuidBytes) + text;
  const std::string nulls = head + null + text + null + null;
  ASSERT_EQ(read_emitted(nulls, row), EmittedFault::none);
  EXPECT_EQ(row.aggregate_id, std::nullopt);
  EXPECT_EQ(row.payload, std::nullopt);
  const std::string empties = head + empty + text + empty + empty;
  ASSERT_EQ(read_emitted(empties, row), EmittedFault::none);
  EXPECT_EQ(row.aggregate_id, "");
  EXPECT_EQ(row.payload, "");
}

TEST(EmittedTest, WhateverIsCutOrTooLongIsMalformed) {
  OutboxRow row;
  const std::string whole = wire::emitted();
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(read_emitted(whole.substr(0, size), row), EmittedFault::malformed) << size;
  }
  EXPECT_EQ(read_emitted("", row), EmittedFault::malformed);
  EXPECT_EQ(read_emitted(whole + "x", row), EmittedFault::malformed);
}

TEST(EmittedTest, AnotherVersionIsToldApart) {
  OutboxRow row;
  EXPECT_EQ(read_emitted("\x02", row), EmittedFault::unknown_version);
}

}  // namespace
}  // namespace outbox::postgres
