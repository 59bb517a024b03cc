#include "relay/flow/brake.h"

#include <gtest/gtest.h>

namespace outbox::flow {
namespace {

TEST(BrakeTest, ARefusalTooManyAmongTheNewestEventsEngages) {
  Brake brake({10, 3});
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(brake.refused());
  EXPECT_FALSE(brake.engaged());
  EXPECT_FALSE(brake.refused());
  EXPECT_TRUE(brake.engaged());
}

TEST(BrakeTest, OnceEngagedItStaysSo) {
  Brake brake({10, 1});
  brake.refused();
  brake.refused();
  for (int n = 0; n < 100; ++n) brake.delivered();
  EXPECT_TRUE(brake.engaged());
  EXPECT_FALSE(brake.refused());
}

TEST(BrakeTest, PoisonInAQuietStreamNeverAddsUp) {
  Brake brake({10, 3});
  for (int n = 0; n < 1000; ++n) {
    ASSERT_TRUE(brake.refused());
    brake.delivered();
    brake.delivered();
    brake.delivered();
  }
  EXPECT_FALSE(brake.engaged());
}

TEST(BrakeTest, TheWindowIsExact) {
  Brake inside({10, 1});
  EXPECT_TRUE(inside.refused());
  for (int n = 0; n < 8; ++n) inside.delivered();
  EXPECT_FALSE(inside.refused()) << "the tenth of ten";
  Brake outside({10, 1});
  EXPECT_TRUE(outside.refused());
  for (int n = 0; n < 9; ++n) outside.delivered();
  EXPECT_TRUE(outside.refused()) << "the eleventh";
}

TEST(BrakeTest, ForAllRatesItEngagesIfMoreThanTheShareIsRefused) {
  for (uint64_t every = 1; every <= 10; ++every) {
    Brake brake({100, 25});
    for (uint64_t n = 0; n < 10'000; ++n)
      n % every == 0 ? void(brake.refused()) : brake.delivered();
    EXPECT_EQ(brake.engaged(), every < 4) << "one of " << every;
  }
}

TEST(BrakeTest, NoneAllowedMeansTheFirst) {
  Brake brake({1, 0});
  brake.delivered();
  EXPECT_FALSE(brake.refused());
}

TEST(BrakeTest, WithoutAWindowThereIsNone) {
  Brake brake({0, 0});
  for (int n = 0; n < 100'000; ++n) ASSERT_TRUE(brake.refused());
}

}  // namespace
}  // namespace outbox::flow
