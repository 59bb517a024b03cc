// What a row's values become.

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class RowTest : public SourceTest {
 protected:
  Seen only_event(const std::string& insert) {
    RelayEnd relay(database_);
    EXPECT_TRUE(relay.connect()) << relay.error_text();
    sql_.run(insert);
    EXPECT_TRUE(relay.run_until_events(1)) << relay.error_text();
    return relay.events().empty() ? Seen{} : relay.events()[0];
  }

  std::string insert(const std::string& columns, const std::string& values) {
    return "insert into outbox.event (aggregate_type, event_type, " + columns +
           ") values ('order', 'OrderPlaced', " + values + ")";
  }
};

TEST_F(RowTest, EveryColumnArrivesAsPostgresHasIt) {
  const Seen event = only_event(
      "select outbox.publish('order', 'Key ü', 'OrderPlaced', '{\"b\": 1,\"a\":1.10e2}'::jsonb,"
      " '{\"x\": \"y\", \"none\": null}')");
  EXPECT_EQ(event.type, "OrderPlaced");
  EXPECT_EQ(event.key, "Key ü");
  EXPECT_EQ(event.payload, R"({"a": 110, "b": 1})");
  EXPECT_EQ(event.id, sql_.value("select id from outbox.event"));
  EXPECT_EQ(std::to_string(event.seq), sql_.value("select seq from outbox.event"));
  ASSERT_EQ(event.headers.size(), 2u);
  EXPECT_EQ(event.headers[0].first, "x");
  EXPECT_EQ(event.headers[0].second, "y");
  EXPECT_EQ(event.headers[1].second, std::nullopt);
}

TEST_F(RowTest, InvalidUtf8AndNulBytesPassUntouched) {
  EXPECT_EQ(only_event(insert("payload_bytes", "'\\xfffe00c328'")).payload,
            std::string("\xff\xfe\x00\xc3\x28", 5));
}

TEST_F(RowTest, NumbersBeyond2To53AndOf40DigitsPassVerbatim) {
  const std::string json =
      R"({"n": 9007199254740993, "m": 1234567890123456789012345678901234567890.5})";
  const Seen event = only_event(insert("payload", "'" + json + "'"));
  EXPECT_EQ(event.payload, sql_.value("select payload from outbox.event"));
  EXPECT_NE(event.payload->find("9007199254740993"), std::string::npos);
}

TEST_F(RowTest, JsonOfDepth100000InPayloadBytesPassesUntouched) {
  const Seen event = only_event(
      insert("payload_bytes", "convert_to(repeat('[', 100000) || repeat(']', 100000), 'UTF8')"));
  EXPECT_EQ(event.payload, std::string(100'000, '[') + std::string(100'000, ']'));
}

TEST_F(RowTest, NullEmptyAndJsonNullPayloadsAreThreeThings) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(insert("payload", "null"));
  sql_.run(insert("payload_bytes", "''"));
  sql_.run(insert("payload", "'null'"));
  ASSERT_TRUE(relay.run_until_events(3));
  EXPECT_EQ(relay.events()[0].payload, std::nullopt);
  EXPECT_EQ(relay.events()[1].payload, "");
  EXPECT_EQ(relay.events()[2].payload, "null");
}

TEST_F(RowTest, AnAbsentKeyIsNotAnEmptyOne) {
  EXPECT_EQ(only_event(insert("aggregate_id", "null")).key, std::nullopt);
}

TEST_F(RowTest, AValueStoredOutOfLineArrivesWholeAndNeverAsNull) {
  const Seen event =
      only_event(insert("payload",
                        "to_jsonb((select string_agg(md5(i::text), '') from generate_series(1, "
                        "50000) i))"));
  EXPECT_EQ(event.payload, sql_.value("select payload from outbox.event"));
  EXPECT_GT(event.payload->size(), 1'000'000u);
}

TEST_F(RowTest, ARowOf16MegabytesPasses) {
  const Seen event =
      only_event(insert("payload_bytes", "decode(repeat('ab', 16 * 1024 * 1024), 'hex')"));
  ASSERT_TRUE(event.payload.has_value());
  EXPECT_EQ(*event.payload, std::string(size_t{16} * 1024 * 1024, '\xab'));
}

TEST_F(RowTest, AMessageOfSeveralCreditsOvershootsByOneRowAtMost) {
  RelayEnd relay(database_);
  relay.credit_bytes = 1000;
  ASSERT_TRUE(relay.connect());
  sql_.run(
      "insert into outbox.event (aggregate_type, event_type, payload)"
      " select 'order', 'e' || i, to_jsonb(repeat('x', 900)) from generate_series(1, 50) i");
  size_t most = 0;
  size_t before = 0;
  ASSERT_TRUE(relay.run_until([&] {
    most = std::max(most, relay.event_count() - before);
    before = relay.event_count();
    return before == 50;
  }));
  EXPECT_LE(most, 2u);
}

TEST_F(RowTest, UpdatesAndDeletesThatAPublicationSendsAreIgnoredAndCounted) {
  sql_.run(
      "create publication orders for table outbox.event"
      " with (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect()) << relay.error_text();
  sql_.run(publish("a"));
  sql_.run("set role outbox_owner; update outbox.event set event_type = 'changed'; reset role");
  sql_.run("set role outbox_owner; delete from outbox.event; reset role");
  sql_.run(publish("b"));
  ASSERT_TRUE(relay.run_until_events(2));
  EXPECT_EQ(relay.types(), (Texts{"a", "b"}));
  EXPECT_EQ(relay.source().counters().updates_ignored, 1u);
  EXPECT_EQ(relay.source().counters().deletes_ignored, 1u);
}

TEST_F(RowTest, ATruncateOfTheOutboxRaisesAnAlarm) {
  sql_.run(
      "create publication orders for table outbox.event"
      " with (publish = 'insert, truncate', publish_via_partition_root = true)");
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  ASSERT_TRUE(relay.run_until_events(1));
  sql_.run("set role outbox_owner; truncate outbox.event; reset role");
  ASSERT_TRUE(relay.run_until([&] { return relay.source().counters().truncates == 1; }));
  EXPECT_TRUE(relay.run_until([&] { return contains(relay.notice_codes(), "OUTBOX_TRUNCATED"); }));
}

TEST_F(RowTest, ATableWithDebeziumsColumnsServesAsItIs) {
  sql_.run(
      "create table shop_outbox (id uuid primary key, aggregatetype varchar(255) not null,"
      " aggregateid varchar(255) not null, type varchar(255) not null, payload jsonb)");
  RelayEnd relay(database_, [](auto& options) {
    options.table = {"public", "shop_outbox"};
    options.columns.seq = "";
    options.columns.aggregate_type = "aggregatetype";
    options.columns.aggregate_id = "aggregateid";
    options.columns.event_type = "type";
    options.columns.headers = "";
  });
  ASSERT_TRUE(relay.connect()) << relay.error_text();
  sql_.run("insert into shop_outbox values (gen_random_uuid(), 'order', '7', 'OrderPlaced', '[]')");
  ASSERT_TRUE(relay.run_until_events(1));
  EXPECT_EQ(relay.events()[0].key, "7");
  EXPECT_EQ(relay.events()[0].payload, "[]");
}

}  // namespace
}  // namespace outbox::conformance
