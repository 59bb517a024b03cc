// What comes out and in which order: committed work only, in commit order, whatever was open
// meanwhile.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class CommitOrderTest : public SourceTest {};

TEST_F(CommitOrderTest, InterleavedTransactionsComeInCommitOrderAndConfirmingOneKeepsTheOther) {
  Sql other(database_.url());
  {
    RelayEnd relay(database_);
    relay.settle_all();
    ASSERT_TRUE(relay.connect());
    other.run("begin;" + publish("early_begin_late_commit"));
    sql_.run(publish("late_begin_early_commit"));
    ASSERT_TRUE(relay.run_until_events(1));
    const core::Position seen = relay.events()[0].position;
    ASSERT_TRUE(relay.run_until([&] { return relay.source().confirmed().value > seen.major; }));
    EXPECT_EQ(relay.types(), Texts{"late_begin_early_commit"});
    relay.close();
  }
  other.run("commit");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until_events(1));
  EXPECT_EQ(relay.types(), Texts{"early_begin_late_commit"});
}

TEST_F(CommitOrderTest, SequenceOrderIsNotCommitOrder) {
  Sql other(database_.url());
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  other.run("begin;" + publish("low_seq"));
  sql_.run(publish("high_seq"));
  other.run("commit");
  ASSERT_TRUE(relay.run_until_events(2));
  EXPECT_EQ(relay.types(), (Texts{"high_seq", "low_seq"}));
  EXPECT_GT(relay.events()[0].seq, relay.events()[1].seq);
}

TEST_F(CommitOrderTest, WhatWasRolledBackAndAbortedSubtransactionsNeverComeOut) {
  RecordProperty("fault_row", "20");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("begin;" + publish("ghost1") + "rollback");
  sql_.run("begin;" + publish("a") + "savepoint s;" + publish("ghost2") + "savepoint t;" +
           publish("ghost3") + "rollback to s;" + publish("b") + "commit");
  sql_.run(publish("c"));
  ASSERT_TRUE(relay.run_until_events(3));
  EXPECT_EQ(relay.types(), (Texts{"a", "b", "c"}));
  EXPECT_EQ(relay.events()[1].position.minor, 2u);
}

TEST_F(CommitOrderTest, NothingOfAPreparedTransactionComesBeforeCommitPrepared) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  const std::string gid = database_.unique("gid");
  const std::string enabled = sql_.value("show max_prepared_transactions");
  ASSERT_NE(enabled, "0") << "the test server needs max_prepared_transactions";
  sql_.run("begin;" + publish("prepared") + "prepare transaction '" + gid + "'");
  sql_.run(publish("other"));
  ASSERT_TRUE(relay.run_until_events(1));
  relay.run_for(milliseconds(300));
  EXPECT_EQ(relay.types(), Texts{"other"});
  sql_.run("commit prepared '" + gid + "'");
  ASSERT_TRUE(relay.run_until_events(2));
  EXPECT_EQ(relay.types(), (Texts{"other", "prepared"}));
}

TEST_F(CommitOrderTest, RowsOfOtherTablesInTheSameTransactionTakeNoOrdinal) {
  sql_.run("create table orders (id int primary key)");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("begin; insert into orders values (1);" + publish("a") +
           "insert into orders values (2);" + publish("b") + "commit");
  ASSERT_TRUE(relay.run_until_events(2));
  EXPECT_EQ(relay.events()[0].position.minor, 1u);
  EXPECT_EQ(relay.events()[1].position.minor, 2u);
}

TEST_F(CommitOrderTest, TheCommitTimeIsTheTransactionsNotTheRows) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(
      "begin; insert into outbox.event (aggregate_type, event_type, created_at)"
      " values ('order', 'a', 'infinity'); select pg_sleep(0.3); commit");
  const int64_t after_us = RelayEnd::now().wall.us;
  ASSERT_TRUE(relay.run_until_events(1));
  EXPECT_NEAR(static_cast<double>(relay.events()[0].commit_time_us), static_cast<double>(after_us),
              200'000.0);
}

}  // namespace
}  // namespace outbox::conformance
