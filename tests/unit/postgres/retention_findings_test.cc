// What doctor says of retention, each thing by name and with its remedy.

#include "connectors/postgres/detail/retention_findings.h"

#include <gtest/gtest.h>

#include "connectors/postgres/retention.h"
#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

class RetentionFindingsTest : public testing::Test {
 protected:
  RetentionFindingsTest() {
    facts_.has_retention = true;
    facts_.table->may_delete = true;
    options_.retention = std::chrono::hours(24);
    state_.emplace();
    state_->slowest = "pipeline slow has delivered up to 7";
  }

  Finding only() const {
    const std::vector<Finding> findings = judge_retention(facts_, state_, options_);
    EXPECT_EQ(findings.size(), 1U);
    return findings.empty() ? Finding{} : findings.front();
  }
  void expect(Severity severity, const std::string& code, const std::string& remedy) const {
    EXPECT_EQ(only().code, code);
    EXPECT_EQ(only().severity, severity);
    EXPECT_NE(only().remedy.find(remedy), std::string::npos) << only().remedy;
  }

  PostgresOptions options_ = options();
  ServerFacts facts_ = good_server();
  std::optional<RetentionState> state_;
};

TEST_F(RetentionFindingsTest, WhatTheNextRoundRemovesIsToldAndNoTrouble) {
  state_->partitions_ready = 3;
  expect(Severity::note, "RETENTION", "");
  EXPECT_NE(only().what.find("empties 3 partitions"), std::string::npos);
}

TEST_F(RetentionFindingsTest, WithoutRetentionOnlyTheRoomAheadIsTold) {
  options_.retention = core::Duration::zero();
  state_->numbers_left = 1'000'000'000;
  state_->held_seconds = 100'000;
  expect(Severity::note, "PARTITIONS_AHEAD", "");
  state_->numbers_left = 1000;
  expect(Severity::warning, "PARTITIONS_LOW", "outbox schema apply");
  EXPECT_NE(only().what.find("1000 more events"), std::string::npos);
}

TEST_F(RetentionFindingsTest, WhatHasBeenHeldForLongNamesWhoHoldsIt) {
  state_->held_seconds = 599;
  EXPECT_EQ(only().code, "RETENTION");
  state_->held_seconds = 600;
  expect(Severity::warning, "RETENTION_HELD", "delete from outbox.progress where pipeline");
  EXPECT_NE(only().what.find("pipeline slow"), std::string::npos);
}

TEST_F(RetentionFindingsTest, ASchemaOfBeforeIsNamedWithTheCommandThatBringsIt) {
  facts_.has_retention = false;
  state_.reset();
  expect(Severity::warning, "RETENTION_UNAVAILABLE", "outbox schema apply");
}

TEST_F(RetentionFindingsTest, ATeamsOwnTableNeedsTheRightToDeleteANumberAndWithStatusATime) {
  options_.table = {"public", "outbox"};
  facts_.table->may_delete = false;
  expect(Severity::warning, "RETENTION_DENIED", "grant delete on");
  facts_.table->sequence = "";
  expect(Severity::warning, "RETENTION_NO_NUMBER", "columns.seq");
  options_.mode = Mode::status;
  facts_.has_retention = false;
  expect(Severity::warning, "RETENTION_NO_TIME", "columns.created_at");
  facts_.table->columns.push_back({"created_at", "timestamp with time zone", 1184, false, true});
  expect(Severity::warning, "RETENTION_DENIED", "grant delete on");
}

TEST_F(RetentionFindingsTest, ARoundComesOftenEnoughAndNoMoreThanOnceASecond) {
  const auto rest = [&](core::Duration age) {
    options_.retention = age;
    return Retention::rest(options_);
  };
  EXPECT_EQ(rest(std::chrono::seconds(1)), std::chrono::seconds(1));
  EXPECT_EQ(rest(std::chrono::minutes(10)), std::chrono::seconds(30));
  EXPECT_EQ(rest(std::chrono::hours(168)), std::chrono::seconds(60));
  options_.mode = Mode::status;
  EXPECT_EQ(rest(std::chrono::hours(168)), std::chrono::hours(1));
}

}  // namespace
}  // namespace outbox::postgres
