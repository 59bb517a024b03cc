// The statements of Mode::status as text, and the arrays they are sent with.

#include "connectors/postgres/detail/status_queries.h"

#include <gtest/gtest.h>

#include "connectors/postgres/detail/marking.h"

namespace outbox::postgres {
namespace {

class StatusQueriesTest : public testing::Test {
 protected:
  StatusQueriesTest() {
    options_.pipeline = "or'ders";
    options_.mode = Mode::status;
    options_.table = {"public", "out box"};
    options_.columns.status = "state";
    options_.columns.order = "n";
    options_.shards = 4;
    table_.columns = {{"id", "uuid", 2950, false, true},
                      {"aggregate_type", "text", 25, false, true},
                      {"aggregate_id", "text", 25, false, false},
                      {"payload", "jsonb", 3802, false, false},
                      {"state", "text", 25, false, true},
                      {"n", "bigint", 20, false, true},
                      {"created_at", "timestamp with time zone", 1184, false, true}};
  }

  StatusQueries queries() const { return StatusQueries(table_, marking_, options_); }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  PostgresOptions options_;
  TableFacts table_;
  MarkingFacts marking_;
};

TEST_F(StatusQueriesTest, AllShardsNeedNoConditionAndNoOpenRowNoList) {
  const std::string read = queries().read({0, 1, 2, 3}, "{}", 10);
  EXPECT_TRUE(has(read,
                  "from \"public\".\"out box\" where \"state\" = 'READY' order by \"n\", "
                  "\"id\" limit 10)"))
      << read;
  EXPECT_FALSE(has(read, "any("));
}

TEST_F(StatusQueriesTest, SomeShardsAndOpenRowsAreConditions) {
  const std::string read = queries().read({1, 3}, "{u}", 10);
  EXPECT_TRUE(has(read, "% 4)::int = any('{1,3}'::int[])")) << read;
  EXPECT_TRUE(has(read, "and (\"id\" = any('{u}'::uuid[])) is not true")) << read;
}

TEST_F(StatusQueriesTest, TheInsertPositionIsReadInTheSnapshotOfTheRowsAndTheFlushedOneAfterThem) {
  const std::string read = queries().read({0}, "{}", 1);
  const size_t begin = read.find("repeatable read");
  const size_t inserted = read.find("pg_current_wal_insert_lsn");
  const size_t rows = read.find("copy (");
  const size_t flushed = read.find("pg_current_wal_flush_lsn");
  EXPECT_LT(begin, inserted);
  EXPECT_LT(inserted, rows);
  EXPECT_LT(rows, flushed);
  EXPECT_NE(flushed, std::string::npos);
}

TEST_F(StatusQueriesTest, WithoutAnOrderColumnRowsComeByTimeAndATableWithoutEventTypeHasNone) {
  options_.columns.order.clear();
  EXPECT_TRUE(has(queries().read({0}, "{}", 1), "order by \"created_at\", \"id\""));
  EXPECT_EQ(queries().names().event_type, "");
  EXPECT_EQ(queries().columns().size(), 4U);
}

TEST_F(StatusQueriesTest, OnlyReadyRowsAreMarkedAndACauseOnlyWhereThereIsAColumn) {
  EXPECT_TRUE(has(queries().mark_sent(),
                  "= 'SENT' where \"id\" = any($1::uuid[]) and \"state\" = "
                  "'READY'"));
  EXPECT_FALSE(has(queries().mark_failed(), "m.cause from"));
  options_.columns.cause = "why";
  table_.columns.push_back({"why", "text", 25, false, false});
  EXPECT_TRUE(has(queries().mark_failed(), "\"why\" = m.cause from"));
  EXPECT_TRUE(has(queries().mark_failed(), "t.\"state\" = 'READY'"));
}

TEST_F(StatusQueriesTest, TheFlushLocksARowWhereNoMessageMayBeWritten) {
  EXPECT_TRUE(has(queries().flush({}), "'00000000-0000-0000-0000-000000000000' for key share"));
  marking_.may_emit = true;
  EXPECT_TRUE(has(queries().flush({}), "pg_logical_emit_message(true, "));
}

TEST_F(StatusQueriesTest, LocksGoByThePipelinesNameAndAreQuoted) {
  EXPECT_TRUE(has(queries().take({2}), "hashtext('outbox status or''ders'), shard)"));
  EXPECT_TRUE(has(queries().be_member(), "1000004)"));
}

TEST(MarkingTest, ArraysAreInPostgressBinaryForm) {
  using namespace std::string_literals;
  EXPECT_EQ(text_array({"ab", ""}),
            "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\2ab\0\0\0\0"s);
  EXPECT_EQ(uuid_array({}), "\0\0\0\0\0\0\0\0\0\0\x0b\x86"s);
  EXPECT_EQ(uuid_array({core::Uuid{}}).size(), 5 * 4 + 4 + 16U);
}

}  // namespace
}  // namespace outbox::postgres
