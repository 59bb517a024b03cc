// What a projection makes of a SQLSTATE, and the names in its statements.

#include <gtest/gtest.h>

#include "connectors/postgres/detail/projection_refusal.h"
#include "connectors/postgres/detail/projection_sql.h"

namespace outbox::postgres {
namespace {

TEST(ProjectionRefusal, ValuesConstraintsAndWhatAFunctionRaisesAreOfTheEvent) {
  for (const char* code :
       {"22P02", "22001", "23502", "23505", "23514", "P0001", "SH001", "54000"}) {
    EXPECT_EQ(refusal_of(code), Refusal::of_the_event) << code;
  }
}

TEST(ProjectionRefusal, DeadlocksLocksAndTimeoutsAreOfTheMoment) {
  for (const char* code : {"40001", "40P01", "55P03", "57014"}) {
    EXPECT_EQ(refusal_of(code), Refusal::of_the_moment) << code;
  }
}

TEST(ProjectionRefusal, WhatNoEventCanPassIsOfAll) {
  for (const char* code : {"08006", "28P01", "3D000", "42501", "42P01", "42703", "42883", "53100",
                           "57P01", "57P03", "25006", "XX001"}) {
    EXPECT_EQ(refusal_of(code), Refusal::of_all) << code;
  }
}

TEST(ProjectionSql, NamesAreQuotedAndEachEventIsReceivedOnce) {
  ProjectionOptions options;
  options.target = TableName{"shop", "Or\"ders"};
  for (const auto kind : {ProjectionKind::table, ProjectionKind::function}) {
    options.kind = kind;
    const std::string sql = projection_statement(options);
    EXPECT_NE(sql.find("\"shop\".\"Or\"\"ders\""), std::string::npos) << sql;
    const size_t first = sql.find("outbox.receive(");
    EXPECT_NE(first, std::string::npos);
    EXPECT_EQ(sql.find("outbox.receive(", first + 1), std::string::npos);
  }
}

}  // namespace
}  // namespace outbox::postgres
