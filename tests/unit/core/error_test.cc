#include "relay/core/error.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "relay/core/health.h"
#include "relay/core/outcome.h"
#include "relay/core/result.h"

namespace outbox::core {
namespace {

Result<int> half(int number) {
  if (number % 2 == 0) return number / 2;
  return Error{Fault::reject, "ODD", "halve", std::to_string(number), "it is odd", ""};
}

TEST(ErrorTest, ReadsAsOneSentenceWithItsRemedy) {
  const Error error{Fault::fatal,
                    "SLOT_ACTIVE",
                    "start replication",
                    "slot outbox_shop",
                    "the slot is active for PID 4711",
                    "Another relay holds it; this one waits"};
  EXPECT_EQ(to_string(error),
            "start replication slot outbox_shop: the slot is active for PID 4711 (SLOT_ACTIVE). "
            "Another relay holds it; this one waits");
}

TEST(ErrorTest, WhatIsMissingLeavesNoGap) {
  EXPECT_EQ(to_string(Error{Fault::retry, "57P01", "", "", "", ""}), " (57P01)");
  EXPECT_EQ(to_string(Error{Fault::retry, "", "connect", "", "refused", ""}), "connect: refused");
}

TEST(ErrorTest, EveryFaultAndOutcomeAndStateHasAName) {
  EXPECT_STREQ(to_string(Fault::retry), "retry");
  EXPECT_STREQ(to_string(Fault::reject), "reject");
  EXPECT_STREQ(to_string(Fault::unknown), "unknown");
  EXPECT_STREQ(to_string(Fault::fatal), "fatal");
  EXPECT_STREQ(to_string(Outcome::durable), "durable");
  EXPECT_STREQ(to_string(Outcome::returned), "returned");
  EXPECT_STREQ(to_string(Outcome::retry), "retry");
  EXPECT_STREQ(to_string(Outcome::reject), "reject");
  EXPECT_STREQ(to_string(Outcome::unknown), "unknown");
  EXPECT_STREQ(to_string(Outcome::fatal), "fatal");
  EXPECT_STREQ(to_string(HealthState::starting), "starting");
  EXPECT_STREQ(to_string(HealthState::ok), "ok");
  EXPECT_STREQ(to_string(HealthState::waiting), "waiting");
  EXPECT_STREQ(to_string(HealthState::stopped), "stopped");
}

TEST(ResultTest, HoldsAValueOrAnError) {
  EXPECT_EQ(*half(4), 2);
  EXPECT_FALSE(half(3));
  EXPECT_EQ(half(3).error().code, "ODD");
}

TEST(ResultTest, CarriesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(*result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultTest, VoidIsSuccessOrAnError) {
  const Result<void> fine;
  EXPECT_TRUE(fine.ok());
  const Result<void> failed(Error{Fault::retry, "X", "", "", "", ""});
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "X");
}

TEST(ResultTest, ReadingTheWrongSideIsOurOwnBug) {
  EXPECT_DEATH(half(3).value(), "assertion failed");
  EXPECT_DEATH(half(4).error(), "assertion failed");
}

}  // namespace
}  // namespace outbox::core
