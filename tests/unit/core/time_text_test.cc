#include "relay/core/time_text.h"

#include <gtest/gtest.h>

namespace outbox::core {
namespace {

TEST(TimeTextTest, ATimeIsRfc3339InUtc) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339({1'767'323'045'678'900}), "2026-01-02T03:04:05.6789Z");
  EXPECT_EQ(to_rfc3339({1'767'323'045'678'900}, Fraction::six_digits),
            "2026-01-02T03:04:05.678900Z");
  EXPECT_EQ(to_rfc3339({0}, Fraction::six_digits), "1970-01-01T00:00:00.000000Z");
}

TEST(TimeTextTest, ATimeBefore1970CountsBackFromTheSecondBefore) {
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_rfc3339({-2'208'988'800'000'000}), "1900-01-01T00:00:00Z");
}

}  // namespace
}  // namespace outbox::core
