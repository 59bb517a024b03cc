#include "relay/flow/recovery.h"

#include <gtest/gtest.h>

namespace outbox::flow {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Due = std::vector<uint32_t>;

class RecoveryTest : public testing::Test {
 protected:
  /// A look every second until `for_so_long` has passed; how often route 0 was named.
  size_t named(core::Duration for_so_long, bool healthy = true) {
    size_t times = 0;
    for (core::Instant end = now_ + for_so_long; now_ < end; now_ += seconds(1)) {
      counted_.delivered += delivered_per_look_;
      counted_.refused += refused_per_look_;
      times += recovery_.look(now_, healthy, {&counted_, 1}).size();
    }
    return times;
  }

  Recovery recovery_{{minutes(5)}};
  core::Instant now_{};
  Recovery::Counted counted_;
  uint64_t delivered_per_look_ = 0;
  uint64_t refused_per_look_ = 0;
};

TEST_F(RecoveryTest, ARouteIsNamedOnceItsSinkHasBeenHealthyForItsTime) {
  EXPECT_EQ(named(minutes(5)), 0U);
  EXPECT_EQ(named(seconds(2)), 1U);
}

TEST_F(RecoveryTest, TroubleInBetweenBeginsTheTimeAnew) {
  named(minutes(4));
  named(seconds(1), false);
  EXPECT_EQ(named(minutes(4)), 0U);
  EXPECT_EQ(named(minutes(2)), 1U);
}

TEST_F(RecoveryTest, DuringTroubleNothingIsNamed) { EXPECT_EQ(named(minutes(60), false), 0U); }

TEST_F(RecoveryTest, ARouteThatRefusesItsNewEventsIsNotHealthy) {
  refused_per_look_ = 1;
  delivered_per_look_ = 8;
  EXPECT_EQ(named(minutes(60)), 0U);
  refused_per_look_ = 0;
  EXPECT_GE(named(minutes(11)), 1U);
}

TEST_F(RecoveryTest, SomePoisonIsNoSickness) {
  refused_per_look_ = 1;
  delivered_per_look_ = 99;
  EXPECT_EQ(named(minutes(5) + seconds(2)), 1U);
}

TEST_F(RecoveryTest, ItIsNamedAgainAfterEachSuchTime) {
  EXPECT_EQ(named(minutes(5) * 4 + seconds(10)), 4U);
}

TEST(RecoveryOfRoutesTest, EachRouteHasItsOwnTimeAndZeroIsNever) {
  Recovery recovery({seconds(0), seconds(10), seconds(20)});
  const std::vector<Recovery::Counted> counted(4);
  core::Instant now{};
  EXPECT_EQ(recovery.look(now, true, counted), Due{});
  EXPECT_EQ(recovery.look(now + seconds(10), true, counted), Due{1});
  EXPECT_EQ(recovery.look(now + seconds(20), true, counted), (Due{1, 2}));
}

}  // namespace
}  // namespace outbox::flow
