#include "connectors/postgres/detail/outbox_table.h"

#include <gtest/gtest.h>

#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {
namespace {

// Keeps the bytes that a decoded message points into.
class Table {
 public:
  explicit Table(const std::vector<wire::Column>& columns, ColumnNames names = {})
      : bytes_(wire::relation(wire::kTable, "outbox", "event", columns)),
        table_(OutboxTable::from(relation(), names)) {}

  const core::Result<OutboxTable>& made() const { return table_; }

  core::Result<void> read(const std::vector<std::string>& values) {
    insert_bytes_ = wire::insert(wire::kTable, values);
    Message message;
    EXPECT_EQ(decoder_.decode(insert_bytes_, message), DecodeFault::none);
    return table_.value().read(std::get<Insert>(message).row, row);
  }

  OutboxRow row;

 private:
  Relation relation() {
    Message message;
    EXPECT_EQ(decoder_.decode(bytes_, message), DecodeFault::none);
    return std::get<Relation>(message);
  }

  std::string bytes_;
  std::string insert_bytes_;
  PgoutputDecoder decoder_;
  core::Result<OutboxTable> table_;
};

std::vector<wire::Column> without(const std::string& name) {
  std::vector<wire::Column> columns = wire::event_columns();
  std::erase_if(columns, [&](const wire::Column& column) { return column.name == name; });
  return columns;
}

std::vector<std::string> values() {
  return {wire::binary(wire::number(4711, 8)),
          wire::binary(wire::kUuidBytes),
          wire::binary("order"),
          wire::binary("42"),
          wire::binary("OrderPlaced"),
          wire::jsonb(R"({"a": 1})"),
          wire::null(),
          wire::jsonb("{}"),
          wire::binary(wire::number(0, 8))};
}

TEST(OutboxTableTest, BinaryValuesOfTheSchemaBecomeAnEvent) {
  Table table(wire::event_columns());
  ASSERT_TRUE(table.made().ok());
  ASSERT_TRUE(table.read(values()).ok());
  EXPECT_EQ(table.row.seq, 4711u);
  EXPECT_EQ(core::to_string(table.row.id), wire::kUuidText);
  EXPECT_EQ(table.row.aggregate_type, "order");
  EXPECT_EQ(table.row.aggregate_id, "42");
  EXPECT_EQ(table.row.event_type, "OrderPlaced");
  EXPECT_EQ(table.row.payload, R"({"a": 1})");
  EXPECT_EQ(table.row.headers, "{}");
}

TEST(OutboxTableTest, ATableWithOtherNamesAndWithoutSomeColumnsBecomesAnEvent) {
  ColumnNames names;
  names.aggregate_type = "aggregatetype";
  names.aggregate_id = "aggregateid";
  names.event_type = "";
  Table table({{"id", 2950}, {"aggregatetype", 1043}, {"aggregateid", 20}, {"payload", 17}}, names);
  ASSERT_TRUE(table.made().ok());
  ASSERT_TRUE(table
                  .read({wire::binary(wire::kUuidBytes), wire::binary("order"),
                         wire::binary(wire::number(42, 8)), wire::binary("\x01\xff")})
                  .ok());
  EXPECT_EQ(table.row.seq, 0u);
  EXPECT_EQ(table.row.aggregate_type, "order");
  EXPECT_EQ(table.row.aggregate_id, "42");
  EXPECT_EQ(table.row.event_type, "");
  EXPECT_EQ(table.row.payload, "\x01\xff");
}

TEST(OutboxTableTest, AColumnThatTheConfigNamesMustBeThere) {
  ColumnNames names;
  names.headers = "metadata";
  Table table(wire::event_columns(), names);
  ASSERT_FALSE(table.made().ok());
  EXPECT_EQ(table.made().error().detail, "there is no column \"metadata\" for headers");
}

TEST(OutboxTableTest, TextValuesOfTheSchemaBecomeTheSameEvent) {
  Table table(wire::event_columns());
  ASSERT_TRUE(
      table
          .read({wire::text("4711"), wire::text(wire::kUuidText), wire::text("order"),
                 wire::text("42"), wire::text("OrderPlaced"), wire::null(), wire::text("\\x00ff10"),
                 wire::text(R"({"h": "v"})"), wire::text("2026-01-01 00:00:00+00")})
          .ok());
  EXPECT_EQ(table.row.seq, 4711u);
  EXPECT_EQ(core::to_string(table.row.id), wire::kUuidText);
  EXPECT_EQ(table.row.aggregate_id, "42");
  EXPECT_EQ(table.row.payload, std::string_view("\x00\xff\x10", 3));
  EXPECT_EQ(table.row.headers, R"({"h": "v"})");
}

TEST(OutboxTableTest, OrderOfColumnsAndColumnsNobodyMappedDoNotMatter) {
  Table table({{"note", 25},
               {"payload", 3802},
               {"event_type", 25},
               {"tenant", 23},
               {"aggregate_id", 25},
               {"aggregate_type", 25},
               {"id", 2950}});
  ASSERT_TRUE(table.made().ok());
  ASSERT_TRUE(
      table
          .read({wire::binary("n"), wire::jsonb("[]"), wire::binary("t"), wire::binary("1234"),
                 wire::binary("k"), wire::binary("a"), wire::binary(wire::kUuidBytes)})
          .ok());
  EXPECT_EQ(table.row.payload, "[]");
  EXPECT_EQ(table.row.event_type, "t");
  EXPECT_EQ(table.row.aggregate_type, "a");
  EXPECT_EQ(table.row.seq, 0u);
  EXPECT_EQ(table.row.headers, "");
}

TEST(OutboxTableTest, DebeziumColumnNamesCanBeMapped) {
  ColumnNames names;
  names.seq = "";
  names.aggregate_type = "aggregatetype";
  names.aggregate_id = "aggregateid";
  names.event_type = "type";
  Table table({{"id", 2950},
               {"aggregatetype", 1043},
               {"aggregateid", 1043},
               {"type", 1043},
               {"payload", 3802}},
              names);
  ASSERT_TRUE(table.made().ok());
  ASSERT_TRUE(table
                  .read({wire::binary(wire::kUuidBytes), wire::binary("a"), wire::binary("k"),
                         wire::binary("t"), wire::jsonb("1")})
                  .ok());
  EXPECT_EQ(table.row.aggregate_id, "k");
}

TEST(OutboxTableTest, AMissingColumnIsAnErrorThatNamesIt) {
  for (const std::string name : {"id", "aggregate_type", "aggregate_id", "event_type"}) {
    Table table(without(name));
    ASSERT_FALSE(table.made().ok()) << name;
    EXPECT_EQ(table.made().error().code, "COLUMN_MISSING");
    EXPECT_EQ(table.made().error().fault, core::Fault::fatal);
    EXPECT_NE(table.made().error().detail.find('"' + name + '"'), std::string::npos);
  }
}

TEST(OutboxTableTest, OneOfTheTwoPayloadColumnsIsEnough) {
  EXPECT_TRUE(Table(without("payload")).made().ok());
  EXPECT_TRUE(Table(without("payload_bytes")).made().ok());
  std::vector<wire::Column> neither = without("payload");
  std::erase_if(neither, [](const wire::Column& column) { return column.name == "payload_bytes"; });
  EXPECT_EQ(Table(neither).made().error().code, "COLUMN_MISSING");
}

TEST(OutboxTableTest, AnIdThatIsNoUuidTypeIsRefusedBeforeAnyRow) {
  std::vector<wire::Column> columns = wire::event_columns();
  columns[1].type = 20;
  Table table(columns);
  ASSERT_FALSE(table.made().ok());
  EXPECT_EQ(table.made().error().code, "COLUMN_TYPE");
  EXPECT_NE(table.made().error().detail.find("\"id\""), std::string::npos);
}

TEST(OutboxTableTest, KeysThatAreNumbersOrUuidsAreWrittenAsPostgresPrintsThem) {
  std::vector<wire::Column> columns = wire::event_columns();
  columns[2].type = 21;
  columns[3].type = 20;
  columns[4].type = 2950;
  Table table(columns);
  std::vector<std::string> row = values();
  row[2] = wire::binary(wire::number(0xffff, 2));
  row[3] = wire::binary(wire::number(0x8000000000000000, 8));
  row[4] = wire::binary(wire::kUuidBytes);
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_EQ(table.row.aggregate_type, "-1");
  EXPECT_EQ(table.row.aggregate_id, "-9223372036854775808");
  EXPECT_EQ(table.row.event_type, wire::kUuidText);
}

TEST(OutboxTableTest, NullEmptyAndJsonNullPayloadsAreThreeThings) {
  Table table(wire::event_columns());
  std::vector<std::string> row = values();
  row[5] = wire::null();
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_FALSE(table.row.payload.has_value());
  row[6] = wire::binary("");
  ASSERT_TRUE(table.read(row).ok());
  ASSERT_TRUE(table.row.payload.has_value());
  EXPECT_EQ(*table.row.payload, "");
  row[6] = wire::null();
  row[5] = wire::jsonb("null");
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_EQ(table.row.payload, "null");
}

TEST(OutboxTableTest, NullKeyAndEmptyKeyAreTwoThings) {
  Table table(wire::event_columns());
  std::vector<std::string> row = values();
  row[3] = wire::null();
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_FALSE(table.row.aggregate_id.has_value());
  row[3] = wire::binary("");
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_EQ(table.row.aggregate_id, "");
}

TEST(OutboxTableTest, UnchangedToastNeverBecomesNull) {
  for (const size_t column : {2u, 3u, 4u, 5u, 6u, 7u}) {
    Table table(wire::event_columns());
    std::vector<std::string> row = values();
    row[column] = wire::unchanged();
    const auto read = table.read(row);
    ASSERT_FALSE(read.ok()) << column;
    EXPECT_EQ(read.error().code, "UNCHANGED_TOAST");
    EXPECT_EQ(read.error().fault, core::Fault::fatal);
    EXPECT_NE(read.error().detail.find('"' + wire::event_columns()[column].name + '"'),
              std::string::npos);
  }
}

TEST(OutboxTableTest, ARowWithoutIdIsAnErrorThatNamesTheColumn) {
  Table table(wire::event_columns());
  std::vector<std::string> row = values();
  row[1] = wire::null();
  EXPECT_EQ(table.read(row).error().code, "ROW_WITHOUT_ID");
  row[1] = wire::unchanged();
  EXPECT_EQ(table.read(row).error().code, "UNCHANGED_TOAST");
  row[1] = wire::text("not-a-uuid");
  EXPECT_EQ(table.read(row).error().code, "ROW_MALFORMED");
}

TEST(OutboxTableTest, BytesThatAreNotWhatTheTypeSaysAreRefused) {
  Table table(wire::event_columns());
  std::vector<std::string> row = values();
  row[5] = wire::binary("\x02{}");  // a jsonb version nobody knows
  EXPECT_EQ(table.read(row).error().code, "ROW_MALFORMED");
  row = values();
  row[0] = wire::binary("\x01");
  EXPECT_EQ(table.read(row).error().code, "ROW_MALFORMED");
  row = values();
  row[6] = wire::text("\\xzz");
  EXPECT_EQ(table.read(row).error().code, "ROW_MALFORMED");
}

TEST(OutboxTableTest, ARowOfAnotherWidthThanTheRelationIsRefused) {
  Table table(wire::event_columns());
  std::vector<std::string> row = values();
  row.pop_back();
  EXPECT_EQ(table.read(row).error().code, "ROW_SHAPE");
}

TEST(OutboxTableTest, NumbersOf40DigitsInvalidUtf8AndNulBytesPassUntouched) {
  Table table(wire::event_columns());
  const std::string number = R"({"n": 1234567890123456789012345678901234567890.5})";
  const std::string bytes("\xff\xfe\x00\xc3", 4);
  std::vector<std::string> row = values();
  row[5] = wire::jsonb(number);
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_EQ(table.row.payload, number);
  row[5] = wire::null();
  row[6] = wire::binary(bytes);
  ASSERT_TRUE(table.read(row).ok());
  EXPECT_EQ(table.row.payload, bytes);
}

}  // namespace
}  // namespace outbox::postgres
