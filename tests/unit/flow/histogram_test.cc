#include "relay/flow/histogram.h"

#include <gtest/gtest.h>

namespace outbox::flow {
namespace {

constexpr size_t kAbove = LatencyHistogram::kBoundsUs.size();

TEST(HistogramTest, ABoundBelongsToItsOwnBucket) {
  LatencyHistogram histogram;
  histogram.record(100);
  histogram.record(101);
  histogram.record(250);
  EXPECT_EQ(histogram.bucket(0), 1U);
  EXPECT_EQ(histogram.bucket(1), 2U);
}

TEST(HistogramTest, WhatLiesAboveEveryBoundIsCountedToo) {
  LatencyHistogram histogram;
  histogram.record(60'000'000);
  histogram.record(60'000'001);
  histogram.record(INT64_C(90'000'000'000));
  EXPECT_EQ(histogram.bucket(kAbove - 1), 1U);
  EXPECT_EQ(histogram.bucket(kAbove), 2U);
}

TEST(HistogramTest, ClocksThatDisagreeGiveZeroNotLess) {
  LatencyHistogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.bucket(0), 1U);
  EXPECT_EQ(histogram.sum_seconds(), 0.0);
}

TEST(HistogramTest, CountAndSumAreOfAll) {
  LatencyHistogram histogram;
  histogram.record(500'000);
  histogram.record(1'500'000);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_DOUBLE_EQ(histogram.sum_seconds(), 2.0);
}

}  // namespace
}  // namespace outbox::flow
