// Which rows were handed out and not marked, and what one save writes.

#include "connectors/postgres/detail/open_rows.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

core::Uuid id(unsigned char number) {
  core::Uuid uuid;
  uuid.bytes[15] = number;
  return uuid;
}

TEST(OpenRowsTest, RowsAreNumberedFromOneAndStayOpenUntilTheirMarksAreCommitted) {
  OpenRows rows(2);
  EXPECT_EQ(rows.last(), 0U);
  EXPECT_EQ(rows.add(id(7), 0), 1U);
  EXPECT_EQ(rows.add(id(8), 1), 2U);
  EXPECT_EQ(rows.marks(1).sent, std::vector{id(7)});
  EXPECT_EQ(rows.size(), 2U);
  rows.settled(1);
  EXPECT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.of_shard(0), 0U);
  EXPECT_EQ(rows.of_shard(1), 1U);
  EXPECT_EQ(rows.last(), 2U);
  EXPECT_EQ(rows.add(id(9), 0), 3U);
}

TEST(OpenRowsTest, ARefusedRowIsMarkedFailedWithItsCauseAndTheOthersSent) {
  OpenRows rows(1);
  for (unsigned char number = 1; number <= 3; ++number) rows.add(id(number), 0);
  rows.refuse(2, {"MSG_SIZE_TOO_LARGE", "3 MB"});
  const Marks marks = rows.marks(3);
  EXPECT_EQ(marks.sent, (std::vector{id(1), id(3)}));
  EXPECT_EQ(marks.failed, std::vector{id(2)});
  EXPECT_EQ(marks.causes, std::vector<std::string>{"MSG_SIZE_TOO_LARGE: 3 MB"});
  rows.settled(3);
  rows.add(id(2), 0);
  EXPECT_TRUE(rows.marks(4).failed.empty());  // sent again, it may succeed
}

TEST(OpenRowsTest, ASaveOfNothingNewMarksNothing) {
  OpenRows rows(1);
  EXPECT_TRUE(rows.marks(0).sent.empty());
  rows.add(id(1), 0);
  rows.settled(1);
  EXPECT_TRUE(rows.marks(1).sent.empty());
}

TEST(OpenRowsTest, TheIdsAreTheTextOfAnArray) {
  OpenRows rows(1);
  EXPECT_EQ(rows.ids(), "{}");
  rows.add(id(1), 0);
  rows.add(id(2), 0);
  EXPECT_EQ(rows.ids(),
            "{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002}");
}

TEST(OpenRowsTest, ALongCauseIsCut) {
  OpenRows rows(1);
  rows.add(id(1), 0);
  rows.refuse(1, {"C", std::string(5000, 'x')});
  EXPECT_EQ(rows.marks(1).causes.at(0).size(), 1000U);
}

}  // namespace
}  // namespace outbox::postgres
