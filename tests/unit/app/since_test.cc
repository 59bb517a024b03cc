#include "relay/app/cli/since.h"

#include <gtest/gtest.h>

namespace outbox::app {
namespace {

std::optional<int64_t> us_of(std::string_view text) {
  const auto since = parse_since(text);
  if (!since || !std::holds_alternative<core::WallTime>(*since)) return std::nullopt;
  return std::get<core::WallTime>(*since).us;
}

TEST(SinceTest, AnAgeIsANumberAndAUnit) {
  using std::chrono::seconds;
  EXPECT_EQ(parse_since("45s"), Since(seconds(45)));
  EXPECT_EQ(parse_since("30m"), Since(seconds(1800)));
  EXPECT_EQ(parse_since("2h"), Since(seconds(7200)));
  EXPECT_EQ(parse_since("7d"), Since(seconds(604'800)));
  EXPECT_EQ(parse_since("1w"), Since(seconds(604'800)));
}

TEST(SinceTest, ATimeIsUtcUnlessItSaysOtherwise) {
  constexpr int64_t kNoon = 1'767'268'800'000'000;  // 2026-01-01T12:00:00Z
  for (const char* text : {"2026-01-01T12:00:00Z", "2026-01-01T12:00", "2026-01-01 12:00:00",
                           "2026-01-01T13:00:00+01:00", "2026-01-01T13:00+01",
                           "2026-01-01T10:30:00-0130", "2026-01-01T12:00:00.000Z"}) {
    EXPECT_EQ(us_of(text), kNoon) << text;
  }
  EXPECT_EQ(us_of("2026-01-01"), kNoon - int64_t{12} * 3600 * 1'000'000);
  EXPECT_EQ(us_of("2026-01-01T12:00:00.25Z"), kNoon + 250'000);
}

TEST(SinceTest, AnythingElseIsRefused) {
  for (const char* text :
       {"", "2", "h", "0h", "-2h", "2hh", "2 h", "2026", "2026-13-01", "2026-02-30", "2026-1-1",
        "2026-01-01T", "2026-01-01T25:00", "2026-01-01T12:60", "2026-01-01T12:00:00.",
        "2026-01-01T12:00:00X", "2026-01-01T12:00+1", "99999999999999999999h", "yesterday"}) {
    EXPECT_EQ(parse_since(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace outbox::app
