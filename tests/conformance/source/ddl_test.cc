// Definitions that change while the stream runs (fault row 23): handled, or the relay stops and
// says what to do. Never a row lost in silence.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class DdlTest : public SourceTest {
 protected:
  DdlTest() { RecordProperty("fault_row", "23"); }

  void as_owner(const std::string& statement) {
    sql_.run("set role outbox_owner; " + statement + "; reset role");
  }
};

TEST_F(DdlTest, AlterTableInMidStreamIsFollowed) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("before"));
  as_owner("alter table outbox.event add column tenant text default 't'");
  sql_.run(publish("added"));
  sql_.run("begin;" + publish("same1") +
           "set local role outbox_owner;"
           "alter table outbox.event add column note int; reset role;" +
           publish("same2") + "commit");
  as_owner("alter table outbox.event drop column tenant");
  sql_.run(publish("dropped"));
  ASSERT_TRUE(relay.run_until_events(5)) << relay.error_text();
  EXPECT_EQ(relay.types(), (Texts{"before", "added", "same1", "same2", "dropped"}));
  EXPECT_EQ(relay.events()[4].payload, R"({"a": 1})");
}

TEST_F(DdlTest, ANeededColumnThatIsRenamedStopsTheRelayWhichNamesIt) {
  sql_.run(
      "create table box (id uuid, aggregate_type text, aggregate_id text, event_type text,"
      " payload jsonb)");
  RelayEnd relay(database_, [](auto& options) { options.table = {"public", "box"}; });
  ASSERT_TRUE(relay.connect()) << relay.error_text();
  const std::string insert = "insert into box values (gen_random_uuid(), 'a', 'k', 't', '1')";
  sql_.run(insert);
  ASSERT_TRUE(relay.run_until_events(1));
  sql_.run("alter table box rename column event_type to kind");
  sql_.run(insert);
  EXPECT_FALSE(relay.run_until_events(2));
  EXPECT_EQ(relay.error_code(), "COLUMN_MISSING");
  EXPECT_NE(relay.error_text().find("event_type"), std::string::npos) << relay.error_text();
}

TEST_F(DdlTest, VacuumFullAndNewPartitionsDisturbNothing) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  sql_.run("vacuum full outbox.event_p000001");
  sql_.run(publish("b"));
  as_owner(
      "create table outbox.event_far (like outbox.event including all);"
      "alter table outbox.event attach partition outbox.event_far"
      " for values from (5000000000) to (6000000000)");
  sql_.run("select setval('outbox.event_seq', 5000000000)");
  sql_.run(publish("c"));
  ASSERT_TRUE(relay.run_until_events(3)) << relay.error_text();
  EXPECT_EQ(relay.types(), (Texts{"a", "b", "c"}));
}

TEST_F(DdlTest, ATableTakenOutOfThePublicationStopsTheRelay) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  relay.run_for(milliseconds(500));
  sql_.run("alter publication orders drop table outbox.event");
  sql_.run(publish("lost"));
  EXPECT_TRUE(relay.run_until([&] { return !relay.error_code().empty(); }, seconds(5)) ||
              relay.error_code() == "PUBLICATION_CHANGED");
  EXPECT_NE(relay.error_text().find("outbox.event"), std::string::npos) << relay.error_text();
}

TEST_F(DdlTest, ATableTakenOutOfThePublicationAndPutBackStopsTheRelayToo) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  relay.run_for(milliseconds(500));
  sql_.run("alter publication orders drop table outbox.event");
  sql_.run(publish("lost"));
  sql_.run("alter publication orders add table outbox.event");
  relay.run_until([] { return false; }, seconds(3));
  EXPECT_EQ(relay.error_code(), "PUBLICATION_CHANGED") << relay.error_text();
}

TEST_F(DdlTest, AnotherTableAddedToThePublicationDisturbsNothing) {
  sql_.run("create table orders_table (id int primary key)");
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  relay.run_for(milliseconds(300));
  sql_.run("alter publication orders add table orders_table");
  sql_.run("begin; insert into orders_table values (1);" + publish("a") + "commit");
  ASSERT_TRUE(relay.run_until_events(1)) << relay.error_text();
  relay.run_for(milliseconds(500));
  EXPECT_EQ(relay.error_text(), "");
  EXPECT_EQ(relay.source().counters().other_tables, 1u);
}

TEST_F(DdlTest, APublicationThatStopsPublishingViaTheRootLosesNoRowInSilence) {
  RelayEnd relay(database_, [](auto& options) { options.heartbeat_interval = seconds(0); });
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  ASSERT_TRUE(relay.run_until_events(1));
  sql_.run("alter publication orders set (publish_via_partition_root = false)");
  sql_.run(publish("b"));
  EXPECT_FALSE(relay.run_until_events(2));
  EXPECT_EQ(relay.error_code(), "PUBLICATION_PARTITIONS") << relay.error_text();
  EXPECT_NE(relay.error_text().find("publish_via_partition_root = true"), std::string::npos);
}

TEST_F(DdlTest, APublishedTableThatOnlyLooksLikeAPartitionIsAStranger) {
  sql_.run("create table lookalike (like outbox.event including defaults)");
  sql_.run(
      "create publication orders for table outbox.event, lookalike"
      " with (publish = 'insert', publish_via_partition_root = true)");
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  sql_.run("begin;" + publish("a") +
           "insert into lookalike (aggregate_type, event_type) values ('x', 'stranger');" +
           publish("b") + "commit");
  ASSERT_TRUE(relay.run_until_events(2)) << relay.error_text();
  sql_.run("insert into lookalike (aggregate_type, event_type) values ('x', 'stranger')");
  sql_.run(publish("c"));
  ASSERT_TRUE(relay.run_until_events(3)) << relay.error_text();
  EXPECT_EQ(relay.types(), (Texts{"a", "b", "c"}));
  EXPECT_EQ(relay.source().reconnects(), 1u);
}

}  // namespace
}  // namespace outbox::conformance
