#include "relay/app/numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace outbox::app {
namespace {

TEST(NumbersTest, CountsHaveThousandsSeparators) {
  EXPECT_EQ(readable_count(0), "0");
  EXPECT_EQ(readable_count(999), "999");
  EXPECT_EQ(readable_count(1000), "1,000");
  EXPECT_EQ(readable_count(1'234'567), "1,234,567");
  EXPECT_EQ(readable_count(std::numeric_limits<uint64_t>::max()), "18,446,744,073,709,551,615");
  EXPECT_EQ(readable_count(std::nullopt), "-");
}

TEST(NumbersTest, BytesHaveBinaryUnits) {
  EXPECT_EQ(readable_bytes(0), "0 B");
  EXPECT_EQ(readable_bytes(1023), "1023 B");
  EXPECT_EQ(readable_bytes(1536), "1.5 KiB");
  EXPECT_EQ(readable_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(readable_bytes(16ULL << 20), "16.0 MiB");
  EXPECT_EQ(readable_bytes(std::numeric_limits<uint64_t>::max()), "16.0 EiB");
  EXPECT_EQ(readable_bytes(std::nullopt), "-");
}

TEST(NumbersTest, SecondsHaveTheUnitThatFits) {
  EXPECT_EQ(readable_seconds(0), "0 s");
  EXPECT_EQ(readable_seconds(-3), "0 s");
  EXPECT_EQ(readable_seconds(0.0034), "3 ms");
  EXPECT_EQ(readable_seconds(1.54), "1.5 s");
  EXPECT_EQ(readable_seconds(59.99), "1 min");
  EXPECT_EQ(readable_seconds(200), "3 min 20 s");
  EXPECT_EQ(readable_seconds(7500), "2 h 5 min");
  EXPECT_EQ(readable_seconds(4 * 86'400 + 3 * 3600), "4 d 3 h");
  EXPECT_EQ(readable_seconds(std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(readable_seconds(std::nullopt), "-");
}

}  // namespace
}  // namespace outbox::app
