// What a table must be like to be polled by status, each thing by name.

#include <gtest/gtest.h>

#include <algorithm>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

class StatusFindingsTest : public testing::Test {
 protected:
  StatusFindingsTest() {
    options_.mode = Mode::status;
    options_.table = {"public", "outbox"};
    options_.columns.status = "status";
    options_.columns.order = "n";
    facts_.version = 150018;
    facts_.user = "relay";
    facts_.table.emplace();
    facts_.table->may_select = true;
    facts_.table->columns = {{"id", "uuid", 2950, false, true},
                             {"aggregate_type", "text", 25, false, true},
                             {"aggregate_id", "text", 25, false, true},
                             {"payload", "jsonb", 3802, false, false},
                             {"status", "text", 25, false, true},
                             {"n", "bigint", 20, false, true},
                             {"created_at", "timestamp with time zone", 1184, false, true}};
    facts_.marking = MarkingFacts{true, false, true, true, true, {}};
  }

  void expect_one(Severity severity, const std::string& code, const std::string& remedy) {
    const std::vector<Finding> findings = judge_server(facts_, options_);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].code, code);
    EXPECT_EQ(findings[0].severity, severity);
    EXPECT_NE(findings[0].remedy.find(remedy), std::string::npos) << findings[0].remedy;
  }
  TableColumn& column(const std::string& name) {
    return *std::find_if(facts_.table->columns.begin(), facts_.table->columns.end(),
                         [&](const TableColumn& one) { return one.name == name; });
  }
  void drop(const std::string& name) {
    std::erase_if(facts_.table->columns, [&](const TableColumn& one) { return one.name == name; });
  }

  PostgresOptions options_;
  ServerFacts facts_;
};

TEST_F(StatusFindingsTest, NothingOfOurSchemaNoEventTypeAndNoLogicalWalIsAskedFor) {
  EXPECT_TRUE(judge_server(facts_, options_).empty());
}

TEST_F(StatusFindingsTest, AMissingStatusColumnIsNamedWithTheAlterTable) {
  drop("status");
  expect_one(Severity::error, "COLUMN_MISSING", "add column \"status\" text not null default");
}

TEST_F(StatusFindingsTest, AMissingOrderColumnIsNamed) {
  drop("n");
  expect_one(Severity::error, "COLUMN_MISSING", "order = ");
}

TEST_F(StatusFindingsTest, ByTimeTheOrderOfATransactionIsNotKept) {
  options_.columns.order.clear();
  expect_one(Severity::warning, "ORDER_BY_TIME", "order = \"seq\"");
}

TEST_F(StatusFindingsTest, WithoutOrderAndTimeThereIsNoOrder) {
  options_.columns.order.clear();
  drop("created_at");
  expect_one(Severity::error, "COLUMN_MISSING", "add column \"created_at\"");
}

TEST_F(StatusFindingsTest, AnIdThatIsNoUuidIsRefused) {
  column("id") = {"id", "text", 25, false, true};
  expect_one(Severity::error, "COLUMN_TYPE", "type uuid");
}

TEST_F(StatusFindingsTest, AStatusThatHoldsNoWordsIsRefused) {
  column("status") = {"status", "integer", 23, false, true};
  expect_one(Severity::error, "COLUMN_TYPE", "type text");
}

TEST_F(StatusFindingsTest, AnEnumMustKnowTheWords) {
  column("status") = {"status", "public.state", 16500, true, true};
  facts_.marking->labels = {"READY", "SENT"};
  expect_one(Severity::error, "STATUS_LABEL", "alter type public.state add value 'FAIL';");
}

TEST_F(StatusFindingsTest, TheRightToMarkIsNeeded) {
  facts_.marking->may_mark = false;
  expect_one(Severity::error, "MARK_DENIED",
             "grant update (\"status\") on \"public\".\"outbox\" to \"relay\";");
}

TEST_F(StatusFindingsTest, ACauseColumnNeedsItsRightAndText) {
  options_.columns.cause = "why";
  expect_one(Severity::error, "COLUMN_MISSING", "add column \"why\" text");
  facts_.table->columns.push_back({"why", "text", 25, false, false});
  expect_one(Severity::error, "MARK_DENIED", "grant update (\"why\")");
  facts_.marking->may_tell_cause = true;
  EXPECT_TRUE(judge_server(facts_, options_).empty());
  column("why").base_type = 23;
  expect_one(Severity::error, "COLUMN_TYPE", "type text");
}

TEST_F(StatusFindingsTest, WhatMakesItSlowIsAWarningWithTheSql) {
  facts_.marking->ready_indexed = false;
  expect_one(Severity::warning, "READY_NOT_INDEXED",
             "create index concurrently on \"public\".\"outbox\" (\"n\", \"id\") where "
             "\"status\" = 'READY';");
  facts_.marking->ready_indexed = true;
  facts_.marking->id_indexed = false;
  expect_one(Severity::warning, "ID_NOT_INDEXED", "add primary key (\"id\")");
}

TEST_F(StatusFindingsTest, ATableThatMayNotBeReadIsNamedWithTheGrant) {
  facts_.table->may_select = false;
  expect_one(Severity::error, "TABLE_DENIED",
             "grant select on \"public\".\"outbox\" to \"relay\";");
}

}  // namespace
}  // namespace outbox::postgres
