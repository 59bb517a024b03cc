// Where a relay goes on: the resume point is (commit LSN, ordinal), since rows, and a commit with
// the next begin, share LSNs.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class ResumeTest : public SourceTest {};

TEST_F(ResumeTest, RowsOfOneCopyShareAnLsnAndARestartBetweenThemGoesOnWithTheNext) {
  core::Position boundary;
  core::Position second;
  {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect()) << relay.error_text();
    sql_.run(
        "insert into outbox.event (aggregate_type, aggregate_id, event_type, payload)"
        " select 'order', 'k', 'e' || i, '1' from generate_series(1, 4) i");
    ASSERT_TRUE(relay.run_until_events(4));
    const std::vector<Seen> events = relay.events();
    EXPECT_EQ(events[0].position.major, events[3].position.major);
    second = events[1].position;
    boundary = {relay.source().resumed()->boundary};
    ASSERT_TRUE(relay.settle(boundary, second)) << relay.error_text();
  }
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(2));
  relay.run_for(milliseconds(300));
  EXPECT_EQ(relay.types(), (Texts{"e3", "e4"}));
  EXPECT_EQ(relay.events()[0].position.minor, 3u);
}

TEST_F(ResumeTest, AfterACleanRestartAtATransactionsEndItsEventsDoNotComeAgain) {
  first_start();
  {
    RelayEnd relay(database_);
    relay.settle_all();
    ASSERT_TRUE(relay.connect());
    sql_.run("begin;" + publish("a1") + publish("a2") + "commit");
    sql_.run("begin;" + publish("b1") + "commit");
    ASSERT_TRUE(relay.run_until_events(3));
    const core::Position end = relay.events()[2].position;
    ASSERT_TRUE(relay.run_until([&] { return relay.source().confirmed().value > end.major; }));
    relay.close();
  }
  sql_.run(publish("c1"));
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(1));
  relay.run_for(milliseconds(200));
  EXPECT_EQ(relay.types(), Texts{"c1"});
}

TEST_F(ResumeTest, ACommitAndTheNextBeginMayTouchAndARestartBetweenThemLosesNeither) {
  core::Position first_end;
  {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect());
    // Nothing else writes into the WAL between these two commits.
    sql_.run("begin;" + publish("a") + "commit;" + "begin;" + publish("b") + "commit");
    ASSERT_TRUE(relay.run_until_events(2));
    const std::vector<Seen> items = relay.items();
    const auto a =
        std::find_if(items.begin(), items.end(), [](const Seen& item) { return item.type == "a"; });
    ASSERT_EQ((a + 1)->kind, core::ItemKind::boundary);
    first_end = (a + 1)->position;
    EXPECT_LT(a->position, first_end);
    EXPECT_GT(relay.events()[1].position, first_end);
    ASSERT_TRUE(relay.settle(first_end, a->position));
    relay.close();
  }
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(1));
  EXPECT_EQ(relay.types(), Texts{"b"});
}

TEST_F(ResumeTest, AKillInsideAHugeTransactionResumesInsideItNotAtItsFirstRow) {
  RecordProperty("fault_row", "20");
  constexpr size_t kRows = 50'000;
  first_start();
  {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect());
    sql_.run(
        "insert into outbox.event (aggregate_type, aggregate_id, event_type, payload)"
        " select 'order', 'k', 'e' || i, '1' from generate_series(1, 50000) i");
    ASSERT_TRUE(relay.run_until_events(kRows / 2));
    const std::vector<Seen> events = relay.events();
    const core::Position at = events[kRows / 2 - 1].position;
    EXPECT_EQ(at.minor, kRows / 2);
    // The transaction is open for us: only what lies before it may be confirmed.
    ASSERT_TRUE(relay.settle(relay.source().resumed()->boundary, at));
  }
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(kRows / 2));
  ASSERT_TRUE(relay.run_until([&] { return !relay.boundaries().empty(); }));
  EXPECT_EQ(relay.event_count(), kRows / 2);
  EXPECT_EQ(relay.events()[0].type, "e25001");
  EXPECT_EQ(relay.events().back().type, "e50000");
  EXPECT_EQ(relay.source().counters().repeated, kRows / 2);
}

TEST_F(ResumeTest, AWalsenderThatIsEndedInMidStreamIsReplacedAndNothingComesTwiceOrIsLost) {
  RecordProperty("fault_row", "7");
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  Texts expected;
  for (int round = 0; round < 8; ++round) {
    std::string transaction = "begin;";
    for (int i = 0; i < 300; ++i) {
      expected.push_back("e" + std::to_string(expected.size()));
      transaction += publish(expected.back());
    }
    sql_.run(transaction + "commit");
    relay.credit_events = 50;
    ASSERT_TRUE(relay.run_until_events(expected.size() - 150));
    sql_.run(
        "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
        relay.options().slot + "'");
  }
  ASSERT_TRUE(relay.run_until_events(expected.size())) << relay.error_text() << relay.reason();
  relay.run_for(milliseconds(200));
  EXPECT_EQ(relay.types(), expected);
  EXPECT_GE(relay.source().reconnects(), 5u);  // some rounds met it while it was connecting
}

TEST_F(ResumeTest, WhatWasNotSettledComesAgainAfterAKillWithTheSameIdKeyAndBytes) {
  RecordProperty("fault_row", "1");
  std::vector<Seen> before;
  {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect());
    sql_.run("begin;" + publish("a", "k1") + publish("b", "k2") + "commit");
    ASSERT_TRUE(relay.run_until_events(2));
    before = relay.events();
  }
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(2));
  const std::vector<Seen> after = relay.events();
  ASSERT_EQ(after.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].id, before[i].id);
    EXPECT_EQ(after[i].key, before[i].key);
    EXPECT_EQ(after[i].payload, before[i].payload);
    EXPECT_EQ(after[i].position, before[i].position);
    EXPECT_EQ(after[i].commit_time_us, before[i].commit_time_us);
  }
}

}  // namespace
}  // namespace outbox::conformance
