// Further columns as text, in the form that Debezium's connector gives them.

#include "connectors/postgres/detail/extra_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {
namespace {

core::Result<ExtraReader> reader_of(uint32_t type, ExtraColumn::Use use = ExtraColumn::Use::any) {
  const std::vector<RelationColumn> columns{{"id", 2950, true}, {"more", type, false}};
  return ExtraReader::from(Relation{wire::kTable, "public", "event", columns}, {"more", use});
}

struct Read {
  bool good = false;
  std::string text = "(null)";
  core::Extra::Kind kind{};
  int64_t time_us = 0;
};

Read read(uint32_t type, ValueKind kind, const std::string& bytes) {
  const auto reader = reader_of(type);
  EXPECT_TRUE(reader.ok());
  const Value values[] = {{ValueKind::binary, wire::kUuidBytes}, {kind, bytes}};
  std::string scratch;
  core::Extra extra;
  Read read;
  read.good = reader.value().read(values, scratch, extra);
  if (extra.text) read.text = *extra.text;
  read.kind = extra.kind;
  read.time_us = extra.time.us;
  return read;
}

std::string text_of(uint32_t type, const std::string& bytes) {
  const Read done = read(type, ValueKind::binary, bytes);
  return done.good ? done.text : "(malformed)";
}

TEST(ExtraReaderTest, EachTypeHasItsText) {
  EXPECT_EQ(text_of(25, "größe"), "größe");
  EXPECT_EQ(text_of(3802, std::string("\x01{\"a\": 1}")), "{\"a\": 1}");
  EXPECT_EQ(text_of(2950, std::string(wire::kUuidBytes)), wire::kUuidText);
  EXPECT_EQ(text_of(21, wire::number(0xffff, 2)), "-1");
  EXPECT_EQ(text_of(23, wire::number(7, 4)), "7");
  EXPECT_EQ(text_of(20, wire::number(uint64_t{1} << 63, 8)), "-9223372036854775808");
  EXPECT_EQ(text_of(16, std::string(1, '\1')), "true");
  EXPECT_EQ(text_of(16, std::string(1, '\0')), "false");
  EXPECT_EQ(text_of(1082, wire::number(0, 4)), "10957");
  EXPECT_EQ(text_of(1114, wire::number(1, 8)), "946684800000001");
  EXPECT_EQ(text_of(1184, wire::number(wire::kCommitTimePostgresUs, 8)),
            "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(text_of(1184, wire::number(0, 8)), "2000-01-01T00:00:00.000000Z");
}

TEST(ExtraReaderTest, TextFormsMeanWhatBinaryFormsMean) {
  const auto same = [](uint32_t type, const std::string& text, const std::string& binary) {
    const Read a = read(type, ValueKind::text, text);
    const Read b = read(type, ValueKind::binary, binary);
    EXPECT_TRUE(a.good && b.good) << text;
    EXPECT_EQ(a.text, b.text) << text;
    EXPECT_EQ(a.kind, b.kind) << text;
    EXPECT_EQ(a.time_us, b.time_us) << text;
  };
  same(3802, "{\"a\": 1}", std::string("\x01{\"a\": 1}"));
  same(2950, wire::kUuidText, std::string(wire::kUuidBytes));
  same(21, "-1", wire::number(0xffff, 2));
  same(20, "-9223372036854775808", wire::number(uint64_t{1} << 63, 8));
  same(16, "t", std::string(1, '\1'));
  same(16, "f", std::string(1, '\0'));
  same(1082, "2000-01-01", wire::number(0, 4));
  same(1082, "2000-03-01", wire::number(60, 4));
  same(1082, "infinity", wire::number(0x7fffffff, 4));
  same(1082, "0044-03-15 BC", wire::number(static_cast<uint32_t>(-746'117), 4));
  same(1114, "2000-01-01 00:00:00.000001", wire::number(1, 8));
  same(1114, "1999-12-31 23:59:59.5", wire::number(static_cast<uint64_t>(-500'000), 8));
  same(1184, "2026-01-02 03:04:05.678901+00", wire::number(wire::kCommitTimePostgresUs, 8));
  same(1184, "infinity", wire::number(0x7fffffffffffffff, 8));
}

TEST(ExtraReaderTest, TextThatIsNotWhatTheTypeSaysIsRefused) {
  EXPECT_FALSE(read(16, ValueKind::text, "yes").good);
  EXPECT_FALSE(read(1082, ValueKind::text, "02/01/2026").good);
  EXPECT_FALSE(read(1082, ValueKind::text, "2026-01-02x").good);
  EXPECT_FALSE(read(1184, ValueKind::text, "2026-01-02 03:04:05+05:30").good);
  EXPECT_FALSE(read(1114, ValueKind::text, "2026-01-02").good);
}

TEST(ExtraReaderTest, ATimeIsAlsoAnInstantAndInfinityIsNone) {
  const Read done = read(1184, ValueKind::binary, wire::number(wire::kCommitTimePostgresUs, 8));
  EXPECT_EQ(done.kind, core::Extra::Kind::time);
  EXPECT_EQ(done.time_us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(text_of(1184, wire::number(~uint64_t{0} >> 1, 8)), "(null)");
  EXPECT_EQ(text_of(1114, wire::number(uint64_t{1} << 63, 8)), "(null)");
}

TEST(ExtraReaderTest, NullIsNullAndWhatWasNotSentIsNot) {
  EXPECT_TRUE(read(25, ValueKind::null, "").good);
  EXPECT_EQ(read(25, ValueKind::null, "").text, "(null)");
  EXPECT_FALSE(read(25, ValueKind::unchanged, "").good);
  EXPECT_FALSE(read(23, ValueKind::binary, "abc").good);
  EXPECT_FALSE(read(23, ValueKind::binary, "abcde").good);
  EXPECT_FALSE(read(2950, ValueKind::binary, "short").good);
  EXPECT_FALSE(read(3802, ValueKind::binary, "\x02{}").good);
}

TEST(ExtraReaderTest, AColumnThatCannotServeIsNamed) {
  EXPECT_EQ(reader_of(1700).error().code, "COLUMN_TYPE");  // numeric
  EXPECT_EQ(reader_of(25, ExtraColumn::Use::time).error().code, "COLUMN_TYPE");
  EXPECT_TRUE(reader_of(1114, ExtraColumn::Use::time).ok());
  const Relation without{wire::kTable, "public", "event", {}};
  ExtraColumn column{"more"};
  EXPECT_EQ(ExtraReader::from(without, column).error().code, "COLUMN_MISSING");
  EXPECT_NE(ExtraReader::from(without, column).error().detail.find("\"more\""), std::string::npos);
  column.absence = ExtraColumn::Absence::passed_over;
  const auto reader = ExtraReader::from(without, column);
  ASSERT_TRUE(reader.ok());
  std::string scratch;
  core::Extra extra;
  EXPECT_TRUE(reader.value().read({}, scratch, extra));
  EXPECT_EQ(extra.kind, core::Extra::Kind::absent);
}

}  // namespace
}  // namespace outbox::postgres
