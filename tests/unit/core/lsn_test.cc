#include "relay/core/lsn.h"

#include <gtest/gtest.h>

namespace outbox::core {
namespace {

TEST(LsnTest, PrintsAsPostgresDoes) {
  EXPECT_EQ(to_string(Lsn{0x16B374D848}), "16/B374D848");
  EXPECT_EQ(to_string(Lsn{0}), "0/0");
  EXPECT_EQ(to_string(Lsn{0xFFFFFFFFFFFFFFFF}), "FFFFFFFF/FFFFFFFF");
  EXPECT_EQ(to_string(Lsn{uint64_t{1} << 32}), "1/0");
}

TEST(LsnTest, ReadsBackWhatItPrints) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{0xFFFFFFFF}, uint64_t{1} << 32,
                               uint64_t{0x16B374D848}, UINT64_MAX}) {
    EXPECT_EQ(parse_lsn(to_string(Lsn{value})), Lsn{value});
  }
  EXPECT_EQ(parse_lsn("16/b374d848"), Lsn{0x16B374D848});
  EXPECT_EQ(parse_lsn("00000016/B374D848"), Lsn{0x16B374D848});
}

TEST(LsnTest, WhatPgLsnWouldNotTakeIsNotRead) {
  for (const char* text : {"", "/", "1/", "/1", "1", "1/2/3", "-1/2", "1/-2", "+1/2", " 1/2",
                           "1/2 ", "0x1/2", "g/1", "123456789/1", "1/123456789", "1 /2"}) {
    EXPECT_FALSE(parse_lsn(text)) << "\"" << text << "\"";
  }
}

TEST(LsnTest, ZeroIsInvalidAndOrderIsNumeric) {
  EXPECT_FALSE(Lsn{}.valid());
  EXPECT_TRUE(Lsn{1}.valid());
  EXPECT_LT(*parse_lsn("0/FFFFFFFF"), *parse_lsn("1/0"));
}

}  // namespace
}  // namespace outbox::core
