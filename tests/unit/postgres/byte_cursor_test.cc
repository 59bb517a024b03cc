#include "connectors/postgres/detail/byte_cursor.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::postgres {
namespace {

using namespace std::string_literals;

TEST(ByteCursorTest, ReadsBigEndianNumbersAndStringsInTurn) {
  const std::string bytes =
      "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0fname\0rest"s;
  ByteCursor in(bytes);
  EXPECT_EQ(in.u8(), 0x01);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(in.c_string(), "name");
  EXPECT_EQ(in.left(), 4u);
  EXPECT_EQ(in.bytes(4), "rest");
  EXPECT_TRUE(in.at_end());
}

TEST(ByteCursorTest, ANumberThatDoesNotFitFailsForGood) {
  ByteCursor in("abc");
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_EQ(in.left(), 0u);
  EXPECT_FALSE(in.at_end());
}

TEST(ByteCursorTest, BytesBeyondTheEndAreNotGiven) {
  ByteCursor in("abc");
  EXPECT_EQ(in.bytes(4), "");
  EXPECT_FALSE(in.ok());
  ByteCursor huge("abc");
  EXPECT_EQ(huge.bytes(SIZE_MAX), "");
  EXPECT_FALSE(huge.ok());
}

TEST(ByteCursorTest, AStringWithoutItsZeroByteFails) {
  ByteCursor in("name");
  EXPECT_EQ(in.c_string(), "");
  EXPECT_FALSE(in.ok());
}

TEST(ByteCursorTest, NothingIsAtItsEndAtOnce) {
  ByteCursor in("");
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(in.c_string(), "");
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace outbox::postgres
