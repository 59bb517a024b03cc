// What the facts about business tables mean for the rules.

#include "connectors/postgres/detail/capture_findings.h"

#include <gtest/gtest.h>

#include "connectors/postgres/detail/findings.h"
#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

class CaptureFindingsTest : public testing::Test {
 protected:
  CaptureFindingsTest() {
    CaptureRule rule;
    rule.table = {"shop", "orders"};
    rule.key = {"id"};
    rule.insert = "made";
    rule.update = "changed";
    rule.erase = "gone";
    options_.captures = {rule};
    facts_.publication->updates = facts_.publication->deletes = true;
    facts_.table->owned = true;
    CapturedTableFacts table;
    table.table = rule.table;
    table.oid = 16500;
    table.owned = table.published = true;
    table.columns = {{"id", true, false}, {"status", false, false}, {"twice", false, true}};
    facts_.captures = CaptureFacts{{table}, {}};
  }

  std::vector<std::string> codes() const {
    std::vector<std::string> codes;
    for (const Finding& finding : judge_captures(facts_, options_)) codes.push_back(finding.code);
    return codes;
  }
  CaptureRule& rule() { return options_.captures.front(); }
  CapturedTableFacts& table() { return facts_.captures->tables.front(); }
  using Codes = std::vector<std::string>;

  PostgresOptions options_ = options();
  ServerFacts facts_ = good_server();
};

TEST_F(CaptureFindingsTest, NothingIsFoundWhereNothingIsWrong) { EXPECT_EQ(codes(), Codes{}); }

TEST_F(CaptureFindingsTest, ATableThatWouldBreakIsAnErrorWhicheverTableItIs) {
  facts_.captures->without_identity = {"public.stranger"};
  const auto findings = judge_captures(facts_, options_);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "TABLE_WITHOUT_IDENTITY");
  EXPECT_NE(findings[0].what.find("refuses"), std::string::npos);
  facts_.publication.reset();
  EXPECT_NE(judge_captures(facts_, options_)[0].what.find("would refuse"), std::string::npos);
}

TEST_F(CaptureFindingsTest, WhatTheRulesNeedOfTheIdentityIsSaidAtOnce) {
  rule().before = true;
  rule().when = {{"status", CaptureCondition::Kind::changed, ""}};
  const auto findings = judge_captures(facts_, options_);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "CAPTURE_IDENTITY");
  EXPECT_NE(findings[0].what.find("`when`"), std::string::npos);
  EXPECT_NE(findings[0].what.find("`before`"), std::string::npos);
  for (CapturedColumnFacts& column : table().columns) column.identity = true;
  table().identity_full = true;
  EXPECT_EQ(codes(), Codes{});
}

TEST_F(CaptureFindingsTest, APublicationThatLacksTableOrOperationsIsNamedWithTheSql) {
  table().published = false;
  facts_.publication->deletes = false;
  const auto findings = judge_captures(facts_, options_);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_TRUE(findings[0].remedy.starts_with(
      R"(alter publication "outbox_shop" add table "shop"."orders";)"));
  EXPECT_EQ(findings[1].code, "CAPTURE_OPERATIONS");
  EXPECT_NE(findings[1].what.find("does not publish deletes"), std::string::npos);
  rule().erase = "";
  EXPECT_EQ(codes(), Codes{"CAPTURE_NOT_PUBLISHED"}) << "no rule needs deletes";
}

TEST_F(CaptureFindingsTest, PartitionsAndFiltersAreLookedAt) {
  table().partitioned = table().filtered = true;
  facts_.publication->via_root = false;
  table().odd_partition = "shop.orders_1";
  EXPECT_EQ(codes(),
            (Codes{"PUBLICATION_PARTITIONS", "PUBLICATION_FILTERS", "CAPTURE_PARTITION_IDENTITY"}));
}

TEST_F(CaptureFindingsTest, MissingTablesAndColumnsAreNamed) {
  rule().columns = {"id", "colour", "twice"};
  EXPECT_EQ(codes(), (Codes{"CAPTURE_COLUMN_GONE", "CAPTURE_COLUMN_GONE"}));
  rule().key = {"twice"};
  EXPECT_EQ(codes().front(), "CAPTURE_COLUMN_MISSING");
  table().unlogged = true;
  EXPECT_EQ(codes().front(), "CAPTURE_UNLOGGED");
  table().oid = 0;
  EXPECT_EQ(codes(), Codes{"CAPTURE_TABLE_MISSING"});
}

TEST_F(CaptureFindingsTest, ThePublicationIsMadeOnlyByWhoOwnsAllOfItsTables) {
  facts_.publication.reset();
  EXPECT_TRUE(judge_publication(facts_, options_, false).empty());
  table().owned = false;
  const auto findings = judge_publication(facts_, options_, false);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "PUBLICATION_DENIED");
  EXPECT_NE(findings[0].remedy.find(R"("outbox"."event", "shop"."orders" with (publish = 'insert, )"
                                    R"(update, delete, truncate')"),
            std::string::npos)
      << findings[0].remedy;
}

TEST_F(CaptureFindingsTest, WithoutCapturesOnlyAPublicationThatIsToBeMadeIsLookedAt) {
  options_.captures.clear();
  facts_.captures->tables.clear();
  facts_.captures->without_identity = {"public.box"};
  EXPECT_EQ(codes(), Codes{});
  facts_.publication.reset();
  EXPECT_EQ(codes(), Codes{"TABLE_WITHOUT_IDENTITY"});
}

}  // namespace
}  // namespace outbox::postgres
