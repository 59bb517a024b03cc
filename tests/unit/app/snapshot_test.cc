#include "relay/app/snapshot.h"

#include <gtest/gtest.h>

namespace outbox::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr core::Instant kStart{};

PipelineSnapshot snapshot_at(core::Instant at, uint64_t delivered,
                             std::optional<uint64_t> lag_events) {
  PipelineSnapshot snapshot;
  snapshot.name = "orders";
  snapshot.state = core::HealthState::ok;
  snapshot.ticked_at = at;
  snapshot.lag.events = lag_events;
  RouteSnapshot route;
  route.name = "a";
  route.delivered = delivered;
  snapshot.routes = {route};
  return snapshot;
}

TEST(SnapshotTest, APipelineReadsAsStartingUntilItPublishes) {
  const SnapshotBoard board({"orders", "bills"}, kStart);
  const auto views = board.read();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[1].snapshot.name, "bills");
  EXPECT_EQ(views[1].snapshot.state, core::HealthState::starting);
}

TEST(SnapshotTest, TheBoardShowsTheNewestSnapshotOfEachPipeline) {
  SnapshotBoard board({"bills", "orders"}, kStart);
  board.publish(snapshot_at(kStart, 1, 0));
  board.publish(snapshot_at(kStart + seconds(1), 7, 0));
  const auto views = board.read();
  EXPECT_EQ(views[0].snapshot.delivered(), 0u);
  EXPECT_EQ(views[1].snapshot.delivered(), 7u);
}

TEST(TrendTest, TellsRateAndTimeToDrain) {
  Trend trend;
  for (int i = 0; i <= 50; ++i) {
    const auto n = static_cast<uint64_t>(i);
    trend.add(kStart + milliseconds(100 * i), {100 * n, 1000 * n, 10'000 - 100 * n, {}});
  }
  const TrendReading reading = trend.reading();
  EXPECT_NEAR(reading.events_per_second, 1000, 1);
  EXPECT_NEAR(reading.bytes_per_second, 10'000, 10);
  ASSERT_TRUE(reading.drain_seconds);
  EXPECT_NEAR(*reading.drain_seconds, 5, 0.1);  // 5,000 left at 1,000/s
  EXPECT_FALSE(reading.growing);
}

TEST(TrendTest, AGrowingLagHasNoTimeToDrain) {
  Trend trend;
  trend.add(kStart, {0, 0, 10, {}});
  trend.add(kStart + seconds(5), {100, 0, 500, {}});
  EXPECT_TRUE(trend.reading().growing);
  EXPECT_FALSE(trend.reading().drain_seconds);
}

TEST(TrendTest, TellsWhenTheSlotIsLostAtThePaceOfNow) {
  Trend trend;
  trend.add(kStart, {0, 0, 0, 3'000'000'000});
  trend.add(kStart + seconds(10), {0, 0, 0, 2'000'000'000});
  ASSERT_TRUE(trend.reading().slot_lost_seconds);
  EXPECT_NEAR(*trend.reading().slot_lost_seconds, 20, 0.1);
  trend.add(kStart + seconds(21), {0, 0, 0, 2'500'000'000});
  EXPECT_FALSE(trend.reading().slot_lost_seconds) << "it keeps up";
}

TEST(SnapshotTest, ASlotThatIsAboutToBeLostIsAReason) {
  PipelineView view;
  EXPECT_EQ(shown_reason(view), "");
  view.trend.slot_lost_seconds = 7200;
  EXPECT_EQ(shown_reason(view), "");
  view.trend.slot_lost_seconds = 600;
  EXPECT_NE(shown_reason(view).find("the slot is lost in"), std::string::npos);
  view.snapshot.reason = "waits";
  EXPECT_EQ(shown_reason(view), "waits");
}

TEST(TrendTest, AnIdlePipelineIsDrained) {
  Trend trend;
  trend.add(kStart, {5, 0, 0, {}});
  trend.add(kStart + seconds(5), {5, 0, 0, {}});
  EXPECT_EQ(trend.reading().events_per_second, 0);
  EXPECT_EQ(trend.reading().drain_seconds, 0);
}

TEST(TrendTest, ForgetsWhatIsOlderThanTenSeconds) {
  Trend trend;
  for (int i = 0; i <= 400; ++i) {
    const uint64_t burst = i < 100 ? 1000 * static_cast<uint64_t>(i) : 100'000;
    trend.add(kStart + milliseconds(100 * i), {burst, 0, 0, {}});
  }
  EXPECT_EQ(trend.reading().events_per_second, 0);
}

}  // namespace
}  // namespace outbox::app
