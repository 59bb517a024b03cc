#include "relay/flow/retry.h"

#include <gtest/gtest.h>

namespace outbox::flow {
namespace {

using std::chrono::milliseconds;

class RetryTest : public testing::Test {
 protected:
  const core::Instant start_{std::chrono::hours(1)};
  Retry retry_{core::Backoff(milliseconds(20), milliseconds(1000), 1)};
};

TEST_F(RetryTest, WaitsForNothingBeforeTheFirstFailure) {
  EXPECT_FALSE(retry_.waits_at(start_));
  EXPECT_EQ(retry_.reason(), "");
}

TEST_F(RetryTest, WaitsAfterAFailureUntilItsInstantAndNotAtIt) {
  retry_.failed(start_, "down");
  EXPECT_TRUE(retry_.waits_at(start_));
  EXPECT_TRUE(retry_.waits_at(retry_.until() - core::Duration(1)));
  EXPECT_FALSE(retry_.waits_at(retry_.until()));
  EXPECT_LE(retry_.until(), start_ + milliseconds(20));
}

TEST_F(RetryTest, FailuresWhileItWaitsAreTheSameFailureWithANewerReason) {
  retry_.failed(start_, "first");
  const core::Instant until = retry_.until();
  for (int i = 0; i < 100; ++i) retry_.failed(start_, "newest");
  EXPECT_EQ(retry_.until(), until);
  EXPECT_EQ(retry_.reason(), "newest");
}

TEST_F(RetryTest, SuccessWhileItWaitsEndsNothing) {
  retry_.failed(start_, "down");
  const core::Instant until = retry_.until();
  retry_.succeeded(start_);
  EXPECT_EQ(retry_.until(), until);
  EXPECT_EQ(retry_.reason(), "down");
}

TEST_F(RetryTest, SuccessAfterTheWaitStartsOver) {
  for (int i = 0; i < 30; ++i) retry_.failed(retry_.until(), "down");
  retry_.succeeded(retry_.until());
  EXPECT_EQ(retry_.reason(), "");
  const core::Instant again = retry_.until();
  retry_.failed(again, "down again");
  EXPECT_LE(retry_.until(), again + milliseconds(20));
}

}  // namespace
}  // namespace outbox::flow
