// What a server must be like to be polled, each trap by name.

#include <gtest/gtest.h>

#include <algorithm>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

class PollFindingsTest : public testing::Test {
 protected:
  PollFindingsTest() {
    options_.pipeline = "orders";
    options_.mode = Mode::poll;
    facts_.version = 150018;
    facts_.database = "shop";
    facts_.user = "relay";
    facts_.wal_level = "replica";
    facts_.progress_table = ProgressTable::usable;
    facts_.table = TableFacts{.oid = 16400,
                              .may_select = true,
                              .payload_size_checked = true,
                              .sequence = "outbox.event_seq",
                              .sequence_readable = true,
                              .seq_by_default = true,
                              .columns = {{"seq", "bigint", 20, false, true},
                                          {"id", "uuid", 2950, false, true},
                                          {"aggregate_type", "text", 25, false, true},
                                          {"aggregate_id", "text", 25, false, false},
                                          {"event_type", "text", 25, false, true},
                                          {"payload", "jsonb", 3802, false, false}}};
  }

  void expect_error(const std::string& code, const std::string& remedy) {
    const std::vector<Finding> findings = judge_server(facts_, options_);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].code, code);
    EXPECT_EQ(findings[0].severity, Severity::error);
    EXPECT_NE(findings[0].remedy.find(remedy), std::string::npos) << findings[0].remedy;
  }

  PostgresOptions options_;
  ServerFacts facts_;
};

TEST_F(PollFindingsTest, NeitherLogicalWalNorReplicationRightsNorWalsendersAreAskedFor) {
  EXPECT_TRUE(judge_server(facts_, options_).empty());
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

TEST_F(PollFindingsTest, AChangeToTheWalIsRefusedSinceANewSlotWouldLeaveRowsOut) {
  options_.mode = Mode::wal;
  facts_.wal_level = "logical";
  facts_.may_replicate = true;
  facts_.max_slot_wal_keep_mb = 1;
  facts_.walsenders = {0, 10};
  facts_.progress.emplace();
  facts_.progress->delivered_seq = 7;
  expect_error("MODE_CHANGED", "mode = \"poll\"");
}

}  // namespace
}  // namespace outbox::postgres
