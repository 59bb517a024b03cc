#include "relay/core/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace outbox::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RandomTest, TheSameSeedGivesTheSameNumbersOnEveryMachine) {
  Random random(42);
  EXPECT_EQ(random.next(), 13679457532755275413U);  // SplitMix64's published sequence
  EXPECT_EQ(random.next(), 2949826092126892291U);
}

TEST(RandomTest, BelowStaysBelow) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random.below(7), 7U);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(BackoffTest, EachWaitIsRandomBelowABoundThatDoubles) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(milliseconds(20), seconds(10), seed);
    Duration bound = milliseconds(20);
    for (int failure = 0; failure < 40; ++failure) {
      const Duration wait = backoff.after_failure();
      EXPECT_GT(wait.count(), 0);
      EXPECT_LE(wait, bound);
      bound = std::min<Duration>(bound * 2, seconds(10));
    }
  }
}

TEST(BackoffTest, JitterIsFullSoThatManyWaitersDoNotComeBackTogether) {
  std::set<int64_t> waits;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    waits.insert(Backoff(seconds(1), seconds(1), seed).after_failure() / milliseconds(100));
  }
  EXPECT_EQ(waits.size(), 10U) << "every tenth of the bound is hit";
}

TEST(BackoffTest, ASuccessStartsOver) {
  Backoff backoff(milliseconds(20), seconds(10), 3);
  for (int i = 0; i < 10; ++i) backoff.after_failure();
  EXPECT_EQ(backoff.failures(), 10U);
  backoff.succeeded();
  EXPECT_EQ(backoff.failures(), 0U);
  EXPECT_LE(backoff.after_failure(), milliseconds(20));
}

TEST(BackoffTest, BoundsThatMakeNoSenseAreOurOwnBug) {
  EXPECT_DEATH(Backoff(Duration(0), seconds(1), 0), "assertion failed");
  EXPECT_DEATH(Backoff(seconds(2), seconds(1), 0), "assertion failed");
}

}  // namespace
}  // namespace outbox::core
