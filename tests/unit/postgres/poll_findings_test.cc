// What a server must be like to be polled, each trap by name.

#include <gtest/gtest.h>

#include <algorithm>

#include "connectors/postgres/detail/findings.h"
#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

class PollFindingsTest : public testing::Test {
 protected:
  PollFindingsTest() {
    options_.mode = Mode::poll;
    facts_.wal_level = "replica";
    facts_.table->sequence_readable = true;
    facts_.table->seq_by_default = true;
    facts_.slot.reset();
  }

  void expect_error(const std::string& code, const std::string& remedy) {
    const std::vector<Finding> findings = judge_server(facts_, options_);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].code, code);
    EXPECT_EQ(findings[0].severity, Severity::error);
    EXPECT_NE(findings[0].remedy.find(remedy), std::string::npos) << findings[0].remedy;
  }

  PostgresOptions options_ = options();
  ServerFacts facts_ = good_server();
};

TEST_F(PollFindingsTest, NeitherLogicalWalNorReplicationRightsNorWalsendersAreAskedFor) {
  EXPECT_TRUE(judge_server(facts_, options_).empty());
}

TEST_F(PollFindingsTest, RowsThatAreGoneBeforeTheyWereDeliveredAreNotPassedOver) {
  facts_.progress.emplace();
  facts_.progress->delivered_seq = 41;
  facts_.table->removed.below = 42;
  facts_.table->first_seq_kept = 42;
  EXPECT_TRUE(judge_server(facts_, options_).empty());
  facts_.table->removed.below = 43;
  expect_error("ROWS_REMOVED", "delete from outbox.progress where pipeline = 'orders'");
  facts_.table->removed.below = 1;
  facts_.table->first_seq_kept = 101;
  expect_error("ROWS_REMOVED", "oldest row that is kept");
  facts_.progress->delivered_seq.reset();
  EXPECT_TRUE(judge_server(facts_, options_).empty()) << "it begins at the first row";
}

TEST_F(PollFindingsTest, AStandbyIsRefused) {
  facts_.in_recovery = true;
  expect_error("SERVER_IS_STANDBY", "target_session_attrs=read-write");
}

TEST_F(PollFindingsTest, ASequenceThatHandsNumbersOutInAdvanceIsRefused) {
  facts_.table->sequence_cache = 20;
  expect_error("SEQUENCE_CACHE", "alter sequence outbox.event_seq cache 1");
}

TEST_F(PollFindingsTest, ATableNumberedByAnOrmIsRefused) {
  facts_.table->seq_by_default = false;
  expect_error("NUMBERED_ELSEWHERE", "nextval('outbox.event_seq')");
}

TEST_F(PollFindingsTest, ATableWithoutASequenceIsRefused) {
  facts_.table->sequence.clear();
  expect_error("SEQUENCE_MISSING", "generated always as identity");
}

TEST_F(PollFindingsTest, ATableThatASubscriptionFillsIsRefused) {
  facts_.table->subscribed = true;
  expect_error("TABLE_SUBSCRIBED", "publisher");
}

TEST_F(PollFindingsTest, ATableOrSequenceThatMayNotBeReadIsRefused) {
  facts_.table->may_select = false;
  expect_error("TABLE_DENIED", "grant outbox_relay to \"relay\"");
  facts_.table->may_select = true;
  facts_.table->sequence_readable = false;
  expect_error("SEQUENCE_DENIED", "grant select on sequence outbox.event_seq");
}

TEST_F(PollFindingsTest, AChangeFromTheWalIsRefusedAsLongAsNoNumberWasSaved) {
  facts_.progress.emplace();
  facts_.progress->end = core::Lsn{1000};
  expect_error("MODE_CHANGED", "mode = \"wal\"");
  facts_.progress->delivered_seq = 7;
  EXPECT_TRUE(judge_server(facts_, options_).empty());
}

TEST_F(PollFindingsTest, AChangeFromTheWalIsRefusedWhileEmittedEventsMayWaitInTheSlot) {
  facts_.progress.emplace();
  facts_.progress->end = core::Lsn{1000};
  facts_.progress->delivered_seq = 7;
  facts_.progress->slot = options_.slot;
  facts_.slot = good_server().slot;
  EXPECT_TRUE(judge_server(facts_, options_).empty());
  facts_.emitted = true;
  expect_error("MODE_CHANGED", "setval('outbox.emitted'");
}

}  // namespace
}  // namespace outbox::postgres
