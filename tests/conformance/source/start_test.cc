// A pipeline's first start and its later ones.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class StartTest : public SourceTest {
 protected:
  // Runs a start that must fail, and gives its Error's text.
  std::string failed_start(const std::function<void(postgres::PostgresOptions&)>& change =
                               [](auto&) {}) {
    RelayEnd relay(database_, change);
    relay.run_until([&] { return relay.streaming(); }, seconds(5));
    EXPECT_TRUE(relay.error()) << "it did not fail: " << relay.reason();
    code_ = relay.error_code();
    return relay.error_text();
  }

  void drop_slot() {
    sql_.run("select pg_drop_replication_slot('" + database_.unique("slot") + "')");
  }

  // Without it nobody knows which rows of the table would close a gap.
  void forget_delivered_seq() {
    sql_.run(
        "alter table outbox.progress disable trigger guard_progress;"
        " update outbox.progress set delivered_seq = null");
  }

  std::string code_;
};

TEST_F(StartTest, AFirstStartMakesThePublicationThenTheSlotAndCountsOlderRows) {
  sql_.run(publish("older1"));
  sql_.run(publish("older2"));
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect()) << relay.error_text();
  const Texts codes = relay.notice_codes();
  const auto publication = std::find(codes.begin(), codes.end(), "PUBLICATION_MADE");
  const auto slot = std::find(codes.begin(), codes.end(), "SLOT_MADE");
  ASSERT_NE(slot, codes.end());
  EXPECT_LT(publication, slot);
  EXPECT_NE(relay.notice("SLOT_MADE").find("2 rows are older"), std::string::npos)
      << relay.notice("SLOT_MADE");
  sql_.run(publish("newer"));
  ASSERT_TRUE(relay.run_until_events(1));
  EXPECT_EQ(relay.types(), Texts{"newer"});
  EXPECT_NE(sql_.value("select end_lsn from outbox.progress"), "0/0");
}

TEST_F(StartTest, ARowCommittedWhileTheSlotIsMadeIsEitherCountedAsOlderOrDelivered) {
  Sql writer(database_.url());
  writer.run("begin;" + publish("in_between"));
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.run_until([&] {
    return relay.reason().find("every open write transaction") != std::string::npos;
  })) << relay.reason();
  EXPECT_NE(relay.reason().find(std::to_string(writer.pid())), std::string::npos) << relay.reason();
  writer.run("commit");
  ASSERT_TRUE(relay.connect()) << relay.error_text();
  relay.run_for(milliseconds(300));
  const bool counted = relay.notice("SLOT_MADE").find("1 rows are older") != std::string::npos;
  EXPECT_NE(counted, relay.types() == Texts{"in_between"}) << relay.notice("SLOT_MADE");
}

TEST_F(StartTest, EachStartRaisesTheEpoch) {
  uint64_t first = 0;
  {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect());
    first = relay.source().lease().epoch;
    relay.close();
  }
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  EXPECT_EQ(relay.source().lease().epoch, first + 1);
}

TEST_F(StartTest, ASecondRelayOnTheSlotWaitsSaysWhoHoldsItAndTakesOver) {
  RecordProperty("fault_row", "3");
  RelayEnd first(database_);
  first.settle_all();
  ASSERT_TRUE(first.connect());
  const std::string pid =
      sql_.value("select active_pid from pg_replication_slots where slot_name = '" +
                 first.options().slot + "'");
  RelayEnd second(database_);
  ASSERT_TRUE(second.run_until([&] { return second.state() == core::HealthState::waiting; }));
  EXPECT_NE(second.reason().find(pid), std::string::npos) << second.reason();
  EXPECT_NE(second.reason().find("outbox orders"), std::string::npos) << second.reason();
  second.run_for(seconds(2));
  EXPECT_FALSE(second.streaming());
  EXPECT_FALSE(second.error());
  first.run_for(milliseconds(200));
  first.close();
  EXPECT_TRUE(second.run_until([&] { return second.streaming(); }, seconds(2)));
  EXPECT_GT(second.source().lease().epoch, first.source().lease().epoch);
}

TEST_F(StartTest, AGapThatTheTableCannotCloseStopsTheStartAndIsNamed) {
  first_start();
  forget_delivered_seq();
  const std::string saved = sql_.value("select end_lsn from outbox.progress");
  drop_slot();
  sql_.run(publish("in no slot"));
  const std::string text = failed_start();
  EXPECT_EQ(code_, "SLOT_MISSING");
  EXPECT_NE(text.find(saved), std::string::npos) << text;
  EXPECT_EQ(sql_.value("select count(*) from pg_replication_slots where slot_name = '" +
                       database_.unique("slot") + "'"),
            "0")
      << "a lost slot must not be made anew in silence";
}

TEST_F(StartTest, ASlotMadeAnewAheadOfSavedProgressStopsTheStartWithBothLsns) {
  first_start();
  forget_delivered_seq();
  const std::string saved = sql_.value("select end_lsn from outbox.progress");
  drop_slot();
  sql_.run(publish("between the two"));
  sql_.run("select pg_create_logical_replication_slot('" + database_.unique("slot") +
           "', 'pgoutput')");
  const std::string text = failed_start();
  EXPECT_EQ(code_, "SLOT_AHEAD");
  EXPECT_NE(text.find(saved), std::string::npos) << text;
  EXPECT_NE(text.find(sql_.value("select confirmed_flush_lsn from pg_replication_slots where"
                                 " slot_name = '" +
                                 database_.unique("slot") + "'")),
            std::string::npos)
      << text;
}

TEST_F(StartTest, ASlotMovedByHandPastSavedProgressStopsTheStart) {
  first_start();
  forget_delivered_seq();
  sql_.run(publish("skipped"));
  sql_.run("select pg_replication_slot_advance('" + database_.unique("slot") +
           "', pg_current_wal_flush_lsn())");
  failed_start();
  EXPECT_EQ(code_, "SLOT_AHEAD");
}

TEST_F(StartTest, APublicationThatIsGoneOrWithoutTheTableStopsALaterStartWithTheFix) {
  first_start();
  sql_.run("alter publication orders drop table outbox.event");
  EXPECT_NE(failed_start().find("alter publication \"orders\" add table \"outbox\".\"event\""),
            std::string::npos);
  EXPECT_EQ(code_, "PUBLICATION_WITHOUT_TABLE");
  sql_.run("drop publication orders");
  EXPECT_NE(failed_start().find("create publication \"orders\""), std::string::npos);
  EXPECT_EQ(code_, "PUBLICATION_MISSING");
}

TEST_F(StartTest, APublicationOfPartitionsOrWithoutInsertsIsRefusedAtAFirstStart) {
  sql_.run("create publication orders for table outbox.event with (publish = 'insert')");
  failed_start();
  EXPECT_EQ(code_, "PUBLICATION_PARTITIONS");
  sql_.run("alter publication orders set (publish_via_partition_root = true, publish = 'update')");
  failed_start();
  EXPECT_EQ(code_, "PUBLICATION_WITHOUT_INSERTS");
}

TEST_F(StartTest, APublicationThatCannotBeMadeIsRefusedWithTheGrantThatHelps) {
  sql_.run("revoke create on database " + database_.name() + " from outbox_owner");
  const std::string text = failed_start();
  EXPECT_EQ(code_, "PUBLICATION_DENIED");
  EXPECT_NE(text.find("grant create on database"), std::string::npos) << text;
}

TEST_F(StartTest, ADatabaseWithoutTheSchemaIsToldToApplyIt) {
  sql_.run("drop schema outbox cascade");
  EXPECT_NE(failed_start().find("outbox schema apply"), std::string::npos);
}

TEST_F(StartTest, ProgressOfAnotherClusterOrTimelineStopsTheStart) {
  first_start();
  sql_.run("update outbox.progress set system_id = '7'");
  EXPECT_NE(failed_start().find(sql_.value("select system_identifier from pg_control_system()")),
            std::string::npos);
  EXPECT_EQ(code_, "OTHER_SYSTEM");
  sql_.run(
      "update outbox.progress set timeline = 99, system_id ="
      " (select system_identifier from pg_control_system())");
  failed_start();
  EXPECT_EQ(code_, "OTHER_TIMELINE");
}

TEST_F(StartTest, ProgressBeyondTheEndOfTheWalStopsTheStart) {
  first_start();
  sql_.run("update outbox.progress set end_lsn = 'FFFF/0'");
  failed_start();
  EXPECT_EQ(code_, "WAL_BEHIND_PROGRESS");
}

TEST_F(StartTest, ASlotOfAnotherPluginOrDatabaseIsRefused) {
  sql_.run("select pg_create_logical_replication_slot('" + database_.unique("slot") +
           "', 'test_decoding')");
  failed_start();
  EXPECT_EQ(code_, "SLOT_FOREIGN");
}

TEST_F(StartTest, ALeastPrivilegeRelayCanDoAllOfIt) {
  const std::string role = database_.unique("relay");
  sql_.run("create role " + role + " login replication password 'p'; grant outbox_relay to " +
           role);
  {
    RelayEnd relay(database_,
                   [&](auto& options) { options.url = url_as(database_.name(), role, "p"); });
    relay.settle_all();
    ASSERT_TRUE(relay.connect()) << relay.error_text() << relay.reason();
    sql_.run(publish("a"));
    ASSERT_TRUE(relay.run_until_events(1)) << relay.error_text();
    const core::Position event = relay.events()[0].position;
    ASSERT_TRUE(relay.run_until([&] { return relay.source().confirmed().value > event.major; }))
        << relay.error_text() << relay.store().health().reason;
    ASSERT_TRUE(relay.run_until([&] { return relay.store().facts().last_seq.has_value(); }));
    relay.close();
  }
  sql_.run("drop owned by " + role + "; drop role " + role);
}

}  // namespace
}  // namespace outbox::conformance
