#include "connectors/postgres/detail/findings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

std::vector<Finding> judged(const ServerFacts& facts) {
  std::vector<Finding> all = judge_server(facts, options());
  for (const auto& more :
       {judge_publication(facts, options(), true), judge_slot(facts, options())}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

const Finding* find(const std::vector<Finding>& findings, const std::string& code) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& finding) { return finding.code == code; });
  return found == findings.end() ? nullptr : &*found;
}

void expect(const ServerFacts& facts, const std::string& code, Severity severity,
            const std::string& remedy) {
  const std::vector<Finding> findings = judged(facts);
  const Finding* finding = find(findings, code);
  ASSERT_NE(finding, nullptr) << code;
  EXPECT_EQ(finding->severity, severity) << code;
  EXPECT_NE(finding->remedy.find(remedy), std::string::npos) << finding->remedy;
}

TEST(FindingsTest, AServerThatIsAsItShouldBeHasNone) { EXPECT_TRUE(judged(good_server()).empty()); }

// public.outboxevent, as Debezium's documentation makes it.
ServerFacts debezium_server() {
  ServerFacts facts = good_server();
  facts.table->columns = {{"id", "uuid", 2950, false, true},
                          {"aggregatetype", "character varying(255)", 1043, false, true},
                          {"aggregateid", "character varying(255)", 1043, false, true},
                          {"type", "character varying(255)", 1043, false, true},
                          {"payload", "jsonb", 3802, false, false}};
  facts.table->partitioned = false;
  facts.table->sequence = "";
  return facts;
}

PostgresOptions debezium_options() {
  PostgresOptions of_debezium = options();
  of_debezium.table = {"public", "outboxevent"};
  of_debezium.columns.aggregate_type = "aggregatetype";
  of_debezium.columns.aggregate_id = "aggregateid";
  of_debezium.columns.event_type = "type";
  return of_debezium;
}

TEST(FindingsTest, ADebeziumTableThatIsNotMappedGetsTheLineThatMapsIt) {
  PostgresOptions unmapped = debezium_options();
  unmapped.columns = {};
  const auto findings = judge_server(debezium_server(), unmapped);
  const Finding* finding = find(findings, "COLUMN_MISSING");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->remedy,
            "Write in the source: columns = { aggregate_type = \"aggregatetype\", aggregate_id = "
            "\"aggregateid\", event_type = \"type\" }");
  EXPECT_TRUE(judge_server(debezium_server(), debezium_options()).empty());
}

TEST(FindingsTest, APollOfADebeziumTableNamesTheMissingSequenceAndTheRowsThatItCannotSee) {
  PostgresOptions polled = debezium_options();
  polled.mode = Mode::poll;
  ServerFacts facts = debezium_server();
  auto findings = judge_server(facts, polled);
  EXPECT_NE(find(findings, "SEQUENCE_MISSING"), nullptr);
  ASSERT_NE(find(findings, "DELETED_ROWS_UNSEEN"), nullptr);
  EXPECT_EQ(find(findings, "DELETED_ROWS_UNSEEN")->severity, Severity::note);
  facts.table->rows_inserted = 1000;
  facts.table->rows_deleted = 1000;
  findings = judge_server(facts, polled);
  EXPECT_EQ(find(findings, "DELETED_ROWS_UNSEEN")->severity, Severity::warning);
  facts.table->rows_deleted = 800;
  findings = judge_server(facts, polled);
  EXPECT_EQ(find(findings, "DELETED_ROWS_UNSEEN")->severity, Severity::note);
}

TEST(FindingsTest, OnlyTheOwnerOfATeamsTableMayMakeItsPublication) {
  ServerFacts facts = debezium_server();
  facts.publication.reset();
  auto findings = judge_publication(facts, debezium_options(), false);
  const Finding* denied = find(findings, "PUBLICATION_DENIED");
  ASSERT_NE(denied, nullptr);
  EXPECT_NE(denied->remedy.find("create publication \"outbox_shop\" for table "
                                "\"public\".\"outboxevent\" with (publish = 'insert'"),
            std::string::npos);
  facts.table->owned = true;
  EXPECT_TRUE(judge_publication(facts, debezium_options(), false).empty());
  facts.table->may_select = false;
  findings = judge_server(facts, debezium_options());
  ASSERT_NE(find(findings, "TABLE_DENIED"), nullptr);
  EXPECT_EQ(find(findings, "TABLE_DENIED")->remedy,
            "grant usage on schema \"public\" to \"relay\"; grant select on "
            "\"public\".\"outboxevent\" to \"relay\";");
}

TEST(FindingsTest, WalLevelVersionAndStandbyStopAStart) {
  ServerFacts facts = good_server();
  facts.wal_level = "replica";
  expect(facts, "WAL_LEVEL", Severity::error, "wal_level = 'logical'");
  facts = good_server();
  facts.version = 130012;
  expect(facts, "SERVER_VERSION", Severity::error, "14 to 18");
  facts = good_server();
  facts.in_recovery = true;
  expect(facts, "SERVER_IS_STANDBY", Severity::error, "primary");
}

TEST(FindingsTest, WhatOnlyAPersonCanWeighIsAWarningOrANote) {
  ServerFacts facts = good_server();
  facts.may_replicate = false;
  expect(facts, "ROLE_REPLICATION", Severity::warning, "alter role \"relay\" replication");
  facts = good_server();
  facts.walsenders.used = 10;
  expect(facts, "NO_FREE_WALSENDER", Severity::warning, "max_wal_senders = 20;");
  facts = good_server();
  facts.max_slot_wal_keep_mb = -1;
  expect(facts, "SLOT_WAL_UNLIMITED", Severity::note, "max_slot_wal_keep_size");
  facts = good_server();
  facts.synchronous_commit = "off";
  expect(facts, "ASYNCHRONOUS_COMMIT", Severity::note, "wal_writer_delay");
  facts = good_server();
  facts.table->payload_size_checked = false;
  expect(facts, "NO_SIZE_CHECK", Severity::warning, "add check");
  facts = good_server();
  facts.table->may_select = false;
  expect(facts, "TABLE_DENIED", Severity::warning, "grant select");
}

TEST(FindingsTest, AMissingTableColumnOrSchemaIsNamedWithWhatMendsIt) {
  ServerFacts facts = good_server();
  facts.table.reset();
  expect(facts, "TABLE_MISSING", Severity::error, "outbox schema apply");
  facts = good_server();
  facts.table->columns.pop_back();
  expect(facts, "COLUMN_MISSING", Severity::error, "[source.<name>.columns]");
  facts = good_server();
  facts.progress_table = ProgressTable::missing;
  expect(facts, "SCHEMA_MISSING", Severity::error, "outbox schema apply");
  facts.progress_table = ProgressTable::denied;
  expect(facts, "PROGRESS_DENIED", Severity::error, "grant outbox_relay to \"relay\"");
  facts = good_server();
  facts.table->unlogged = true;
  expect(facts, "TABLE_UNLOGGED", Severity::error, "set logged");
}

TEST(FindingsTest, APublicationThatWouldLoseEventsIsAnErrorWithTheFixSql) {
  ServerFacts facts = good_server();
  facts.publication->has_table = false;
  expect(facts, "PUBLICATION_WITHOUT_TABLE", Severity::error,
         "alter publication \"outbox_shop\" add table \"outbox\".\"event\"");
  facts = good_server();
  facts.publication->inserts = false;
  expect(facts, "PUBLICATION_WITHOUT_INSERTS", Severity::error, "publish = 'insert'");
  facts = good_server();
  facts.publication->via_root = false;
  facts.publication->has_table = false;
  expect(facts, "PUBLICATION_PARTITIONS", Severity::error, "publish_via_partition_root = true");
  facts = good_server();
  facts.publication.reset();
  expect(facts, "PUBLICATION_MISSING", Severity::error, "create publication");
  facts = good_server();
  facts.publication->has_filter = true;
  expect(facts, "PUBLICATION_FILTERS", Severity::warning, "set table");
}

TEST(FindingsTest, APublicationMayBeMissingAtAFirstStart) {
  ServerFacts facts = good_server();
  facts.publication.reset();
  EXPECT_TRUE(judge_publication(facts, options(), false).empty());
}

TEST(FindingsTest, APublicationThatIsMissingAndCannotBeMadeIsAnErrorBeforeItIsTried) {
  ServerFacts facts = good_server();
  facts.publication.reset();
  facts.may_create_publication = false;
  const std::vector<Finding> findings = judge_publication(facts, options(), false);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "PUBLICATION_DENIED");
  EXPECT_EQ(findings[0].remedy, "grant create on database \"shop\" to \"outbox_owner\";");
}

TEST(FindingsTest, AnUnpartitionedTableNeedsNoPublishingViaTheRoot) {
  ServerFacts facts = good_server();
  facts.table->partitioned = false;
  facts.publication->via_root = false;
  EXPECT_TRUE(judge_publication(facts, options(), true).empty());
}

TEST(FindingsTest, ASlotThatIsLostOrForeignOrNearlyLostIsSaid) {
  ServerFacts facts = good_server();
  facts.slot->wal_status = "lost";  // gap.h has it once the pipeline has begun
  expect(facts, "SLOT_LOST", Severity::error, "pg_drop_replication_slot('outbox_shop')");
  facts = good_server();
  facts.slot->plugin = "wal2json";
  expect(facts, "SLOT_FOREIGN", Severity::error, "Name another slot");
  facts = good_server();
  facts.slot->safe_wal_bytes = 10'000'000;
  expect(facts, "SLOT_WAL_LOW", Severity::warning, "max_slot_wal_keep_size");
  facts = good_server();
  facts.slot.reset();
  facts.slots.used = 10;
  expect(facts, "NO_FREE_SLOT", Severity::error, "max_replication_slots = 20;");
}

TEST(QuoteTest, IdentifiersAndLiteralsCannotEscape) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
}

TEST(FindingsTest, WhereEverybodyMayForgeAnEmittedEventItIsSaidWithTheRevoke) {
  ServerFacts facts = good_server();
  facts.emit = Emit::guarded;
  EXPECT_TRUE(judged(facts).empty());
  facts.emit = Emit::forgeable;
  expect(facts, "EMIT_FORGEABLE", Severity::warning, "revoke execute on function");
}

}  // namespace
}  // namespace outbox::postgres
