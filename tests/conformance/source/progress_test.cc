// Saving progress: fenced by the epoch, and never believed without an answer.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class ProgressTest : public SourceTest {
 protected:
  std::string saved() {
    return sql_.value("select end_lsn || ' ' || commit_lsn || ' ' || ordinal from outbox.progress");
  }
};

TEST_F(ProgressTest, ASaveIsDurableBeforeItIsReportedAndTheSlotFollowsIt) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("begin;" + publish("a") + publish("b") + "commit");
  ASSERT_TRUE(relay.run_until_events(2));
  ASSERT_TRUE(relay.run_until([&] { return !relay.boundaries().empty(); }));
  const core::Position boundary = relay.boundaries().back().position;
  const core::Position event = relay.events()[1].position;
  ASSERT_TRUE(relay.settle(boundary, event));
  EXPECT_EQ(saved(), core::to_string(core::Lsn{boundary.major}) + " " +
                         core::to_string(core::Lsn{event.major}) + " 2");
  EXPECT_TRUE(relay.run_until([&] { return confirmed_flush(relay).value == boundary.major; }));
}

TEST_F(ProgressTest, ASaveWithAnOldEpochIsRefusedAndEndsThePipeline) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("update outbox.progress set epoch = epoch + 1");
  EXPECT_FALSE(relay.settle({relay.source().resumed()->boundary.major + 8, 0}, {0, 0}));
  EXPECT_EQ(relay.error_code(), "FENCED");
  EXPECT_EQ(relay.error()->fault, core::Fault::fatal);
}

TEST_F(ProgressTest, AReconnectAfterAnotherRelayWasHereEndsThePipeline) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("update outbox.progress set epoch = epoch + 1");
  sql_.run("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
           relay.options().slot + "'");
  relay.run_for(seconds(3));
  EXPECT_EQ(relay.error_code(), "FENCED") << relay.reason();
}

TEST_F(ProgressTest, ASaveInDoubtIsSavedAgainAndNeverAssumed) {
  RecordProperty("fault_row", "6");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  ASSERT_TRUE(relay.run_until_events(1));
  const core::Position event = relay.events()[0].position;
  ASSERT_TRUE(relay.run_until([&] { return relay.items().back().position > event; }));
  const std::string before = saved();
  const core::Position boundary = relay.items().back().position;

  sql_.run("begin; select * from outbox.progress for update");  // the save gets stuck behind it
  relay.store().save({core::StreamId{0}, boundary, event}, relay.source().lease().epoch);
  Sql other(database_.url());
  const std::string waiting =
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname ="
      " current_database() and query like '%outbox_save%'";
  ASSERT_TRUE(relay.run_until([&] { return !other.value(waiting).empty(); }));
  other.run("select pg_terminate_backend((" + waiting + "))");
  relay.run_for(milliseconds(300));
  EXPECT_FALSE(relay.store().idle()) << "nobody answered, so nothing is known";
  EXPECT_LT(relay.source().confirmed().value, boundary.major);
  sql_.run("rollback");
  EXPECT_EQ(saved(), before);
  ASSERT_TRUE(relay.run_until([&] { return relay.source().confirmed().value == boundary.major; }))
      << relay.error_text();
  EXPECT_NE(saved(), before);
  EXPECT_GE(relay.store().reconnects(), 1u);
}

TEST_F(ProgressTest, TheSlotIsNeverConfirmedPastWhatIsSaved) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  ASSERT_TRUE(relay.run_until_events(1));
  sql_.run("begin; lock outbox.progress in access exclusive mode");  // saving is impossible
  relay.settle_all();
  relay.run_for(seconds(3));
  Sql other(database_.url());
  const auto flush = core::parse_lsn(
      other.value("select confirmed_flush_lsn from pg_replication_slots where slot_name = '" +
                  relay.options().slot + "'"));
  EXPECT_LT(flush->value, relay.events()[0].position.major);
  sql_.run("rollback");
  EXPECT_TRUE(relay.run_until(
      [&] { return relay.source().confirmed().value > relay.events()[0].position.major; }));
}

TEST_F(ProgressTest, AsynchronousCommitOfTheRoleDoesNotMakeSavesLess) {
  const std::string role = database_.unique("relay");
  sql_.run("create role " + role + " login superuser password 'p'; alter role " + role +
           " set synchronous_commit = off");
  {
    RelayEnd relay(database_,
                   [&](auto& options) { options.url = url_as(database_.name(), role, "p"); });
    ASSERT_TRUE(relay.connect());
    EXPECT_TRUE(contains(relay.notice_codes(), "ASYNCHRONOUS_COMMIT"));
    const core::Position boundary{relay.source().resumed()->boundary.major + 8, 0};
    ASSERT_TRUE(relay.settle(boundary, {0, 0}));
    // What was reported as saved is in the flushed WAL at that moment.
    EXPECT_EQ(sql_.value("select pg_current_wal_flush_lsn() >= '" +
                         core::to_string(core::Lsn{boundary.major}) + "'::pg_lsn"),
              "t");
  }
  sql_.run("drop role " + role);
}

TEST_F(ProgressTest, AnErrorThatNoRetryMendsEndsThePipelineWithItsReason) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run("drop function outbox.progress_save cascade");
  EXPECT_FALSE(relay.settle({relay.source().resumed()->boundary.major + 8, 0}, {0, 0}));
  EXPECT_NE(relay.error_text().find("save pipeline orders"), std::string::npos)
      << relay.error_text();
}

}  // namespace
}  // namespace outbox::conformance
