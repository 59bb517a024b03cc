#include "connectors/postgres/detail/pgoutput.h"

#include <gtest/gtest.h>

#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {
namespace {

using wire::number;

// Keeps the bytes that the decoded message points into.
class PgoutputTest : public testing::Test {
 protected:
  template <typename Kind>
  Kind decoded(std::string bytes) {
    bytes_ = std::move(bytes);
    Message message;
    EXPECT_EQ(decoder_.decode(bytes_, message), DecodeFault::none);
    const Kind* kind = std::get_if<Kind>(&message);
    EXPECT_NE(kind, nullptr);
    return kind == nullptr ? Kind{} : *kind;
  }

 private:
  std::string bytes_;
  PgoutputDecoder decoder_;
};

DecodeFault fault_of(const std::string& bytes) {
  PgoutputDecoder decoder;
  Message message;
  return decoder.decode(bytes, message);
}

// One of each, as protocol 1 has them.
std::vector<std::string> all_messages() {
  return {wire::begin(0x16B374D848),
          wire::commit(0x16B374D848, 0x16B374D890),
          "O" + number(1, 8) + wire::c_string("origin"),
          wire::event_relation(),
          "Y" + number(17000, 4) + wire::c_string("public") + wire::c_string("mood"),
          wire::event_insert(),
          "U" + number(wire::kTable, 4) + "N" + wire::tuple({wire::text("a"), wire::unchanged()}),
          "U" + number(wire::kTable, 4) + "O" + wire::tuple({wire::null()}) + "N" +
              wire::tuple({wire::text("a")}),
          "D" + number(wire::kTable, 4) + "K" + wire::tuple({wire::text("a")}),
          "T" + number(2, 4) + number(1, 1) + number(wire::kTable, 4) + number(5, 4),
          "M" + number(1, 1) + number(77, 8) + wire::c_string("prefix") + number(3, 4) + "abc"};
}

TEST_F(PgoutputTest, BeginCarriesFinalLsnCommitTimeAndXid) {
  const auto begin = decoded<Begin>(wire::begin(0x16B374D848, 4711));
  EXPECT_EQ(core::to_string(begin.final_lsn), "16/B374D848");
  EXPECT_EQ(begin.commit_time.us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(begin.xid, 4711u);
}

TEST_F(PgoutputTest, CommitCarriesCommitLsnAndEndLsn) {
  const auto commit = decoded<Commit>(wire::commit(100, 148));
  EXPECT_EQ(commit.commit_lsn.value, 100u);
  EXPECT_EQ(commit.end_lsn.value, 148u);
}

TEST_F(PgoutputTest, RelationNamesItsColumnsInOrderWithTheirTypes) {
  const auto relation = decoded<Relation>(wire::event_relation());
  EXPECT_EQ(relation.id, wire::kTable);
  EXPECT_EQ(relation.schema, "outbox");
  EXPECT_EQ(relation.name, "event");
  ASSERT_EQ(relation.columns.size(), 9u);
  EXPECT_EQ(relation.columns[1].name, "id");
  EXPECT_EQ(relation.columns[1].type, 2950u);
  EXPECT_TRUE(relation.columns[1].part_of_key);
  EXPECT_FALSE(relation.columns[2].part_of_key);
}

TEST_F(PgoutputTest, InsertTellsNullUnchangedTextAndBinaryApart) {
  const auto insert =
      decoded<Insert>(wire::insert(9, {wire::null(), wire::unchanged(), wire::text("x"),
                                       wire::binary(std::string("\0y", 2)), wire::text("")}));
  EXPECT_EQ(insert.relation, 9u);
  ASSERT_EQ(insert.row.size(), 5u);
  EXPECT_EQ(insert.row[0].kind, ValueKind::null);
  EXPECT_EQ(insert.row[1].kind, ValueKind::unchanged);
  EXPECT_EQ(insert.row[2].kind, ValueKind::text);
  EXPECT_EQ(insert.row[2].bytes, "x");
  EXPECT_EQ(insert.row[3].kind, ValueKind::binary);
  EXPECT_EQ(insert.row[3].bytes, std::string_view("\0y", 2));
  EXPECT_EQ(insert.row[4].kind, ValueKind::text);
  EXPECT_EQ(insert.row[4].bytes, "");
}

TEST_F(PgoutputTest, UpdateCarriesTheNewRowAndTheOldOneOrItsKeyIfItIsThere) {
  const std::string head = "U" + number(9, 4);
  const std::string after = "N" + wire::tuple({wire::text("new"), wire::unchanged()});
  const auto plain = decoded<Update>(head + after);
  EXPECT_EQ(plain.old_kind, OldRow::none);
  ASSERT_EQ(plain.row.size(), 2u);
  EXPECT_EQ(plain.row[0].bytes, "new");
  EXPECT_EQ(plain.row[1].kind, ValueKind::unchanged);
  const auto key =
      decoded<Update>(head + "K" + wire::tuple({wire::text("k"), wire::null()}) + after);
  EXPECT_EQ(key.relation, 9u);
  EXPECT_EQ(key.old_kind, OldRow::key);
  const auto full = decoded<Update>(head + "O" + wire::tuple({wire::text("old")}) + after);
  EXPECT_EQ(full.old_kind, OldRow::full);
  ASSERT_EQ(full.old_row.size(), 1u);
  EXPECT_EQ(full.old_row[0].bytes, "old");
  EXPECT_EQ(full.row[0].bytes, "new");
}

TEST_F(PgoutputTest, DeleteCarriesTheOldRowOrItsKey) {
  const auto key = decoded<Delete>("D" + number(9, 4) + "K" + wire::tuple({wire::text("k")}));
  EXPECT_EQ(key.relation, 9u);
  EXPECT_EQ(key.old_kind, OldRow::key);
  ASSERT_EQ(key.old_row.size(), 1u);
  EXPECT_EQ(key.old_row[0].bytes, "k");
  EXPECT_EQ(decoded<Delete>("D" + number(9, 4) + "O" + wire::tuple({})).old_kind, OldRow::full);
}

TEST_F(PgoutputTest, TruncateListsItsRelations) {
  const auto truncate =
      decoded<Truncate>("T" + number(2, 4) + number(0, 1) + number(8, 4) + number(9, 4));
  ASSERT_EQ(truncate.relations.size(), 2u);
  EXPECT_EQ(truncate.relations[1], 9u);
}

TEST_F(PgoutputTest, LogicalMessageCarriesPrefixAndContent) {
  const auto message = decoded<LogicalMessage>("M" + number(0, 1) + number(77, 8) +
                                               wire::c_string("p") + number(2, 4) + "ab");
  EXPECT_FALSE(message.transactional);
  EXPECT_EQ(message.lsn.value, 77u);
  EXPECT_EQ(message.prefix, "p");
  EXPECT_EQ(message.content, "ab");
}

TEST_F(PgoutputTest, EveryMessageOfProtocolOneIsUnderstood) {
  for (const std::string& bytes : all_messages()) {
    EXPECT_EQ(fault_of(bytes), DecodeFault::none) << bytes[0];
  }
}

TEST_F(PgoutputTest, EveryMessageCutAnywhereIsTruncatedNotGuessed) {
  for (const std::string& bytes : all_messages()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(fault_of(bytes.substr(0, size)), DecodeFault::truncated)
          << bytes[0] << " cut to " << size;
    }
  }
}

TEST_F(PgoutputTest, BytesAfterTheEndOfAMessageAreRefused) {
  for (const std::string& bytes : all_messages()) {
    EXPECT_EQ(fault_of(bytes + "x"), DecodeFault::trailing) << bytes[0];
  }
}

TEST_F(PgoutputTest, UnknownMessageTypesAndMarksAreRefused) {
  EXPECT_EQ(fault_of("S" + number(1, 4)), DecodeFault::unknown_type);  // streaming, protocol 2
  EXPECT_EQ(fault_of("b" + number(1, 8)), DecodeFault::unknown_type);  // two-phase, protocol 3
  EXPECT_EQ(fault_of("I" + number(1, 4) + "X" + wire::tuple({})), DecodeFault::unknown_type);
  EXPECT_EQ(fault_of("I" + number(1, 4) + "N" + number(1, 2) + "z"), DecodeFault::unknown_type);
}

TEST_F(PgoutputTest, ACountLargerThanTheMessageCostsNoMemoryToSpeakOf) {
  EXPECT_EQ(fault_of("T" + number(0xffffffff, 4) + number(0, 1)), DecodeFault::truncated);
  EXPECT_EQ(fault_of("I" + number(1, 4) + "N" + number(0xffff, 2)), DecodeFault::truncated);
  EXPECT_EQ(fault_of("I" + number(1, 4) + "N" + number(1, 2) + "t" + number(0xffffffff, 4)),
            DecodeFault::truncated);
}

}  // namespace
}  // namespace outbox::postgres
