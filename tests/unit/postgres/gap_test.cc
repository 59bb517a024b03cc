#include "connectors/postgres/detail/gap.h"

#include <gtest/gtest.h>

#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

using core::Lsn;

constexpr Lsn kSaved{0x16B374D848};

class GapTest : public testing::Test {
 protected:
  GapTest() {
    facts_.progress.emplace();
    facts_.progress->slot = "outbox_shop";
    facts_.progress->end = kSaved;
    facts_.progress->delivered_seq = 41;
    facts_.slot->confirmed_flush = kSaved;
  }

  // The gap's code and severity; "" without one.
  std::string gap() const {
    const auto finding = judge_gap(facts_, options());
    if (!finding) return "";
    return finding->code + (finding->severity == Severity::error ? " error" : " closes");
  }
  std::string what() const { return judge_gap(facts_, options())->what; }

  ServerFacts facts_ = good_server();
};

TEST_F(GapTest, ASlotAtOrBehindSavedProgressIsNone) {
  EXPECT_EQ(gap(), "");
  facts_.slot->confirmed_flush = Lsn{0x1000000000};
  EXPECT_EQ(gap(), "");
}

TEST_F(GapTest, AFirstStartHasNone) {
  facts_.progress->end = Lsn{};
  facts_.progress->delivered_seq.reset();
  facts_.slot.reset();
  EXPECT_EQ(gap(), "");
  facts_.progress.reset();
  EXPECT_EQ(gap(), "");
}

TEST_F(GapTest, ASlotAheadOfSavedProgressIsOneAndNamesBothLsns) {
  facts_.slot->confirmed_flush = Lsn{kSaved.value + 1};
  EXPECT_EQ(gap(), "SLOT_AHEAD closes");
  EXPECT_NE(what().find("16/B374D848"), std::string::npos);
  EXPECT_NE(what().find("16/B374D849"), std::string::npos);
}

TEST_F(GapTest, AMissingSlotIsOneAndNamesWhereItBegins) {
  facts_.slot.reset();
  EXPECT_EQ(gap(), "SLOT_MISSING closes");
  EXPECT_NE(what().find("16/B374D848"), std::string::npos);
  EXPECT_NE(what().find("above seq 41"), std::string::npos);
}

TEST_F(GapTest, AnInvalidatedSlotIsOneAndSaysWhy) {
  facts_.slot->wal_status = "lost";
  facts_.slot->lost_because = "wal_removed";
  EXPECT_EQ(gap(), "SLOT_LOST closes");
  EXPECT_NE(what().find("wal_removed"), std::string::npos);
}

TEST_F(GapTest, ChangesOfBusinessTablesCannotBeReadAgainAndAreNamed) {
  PostgresOptions with = options();
  with.captures.emplace_back().table = {"shop", "orders"};
  EXPECT_FALSE(judge_gap(facts_, with)) << "the slot is there";
  facts_.slot.reset();
  const auto finding = judge_gap(facts_, with);
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->severity, Severity::error);
  EXPECT_NE(finding->what.find("shop.orders"), std::string::npos);
  facts_.progress->slot = "";
  EXPECT_EQ(judge_gap(facts_, with)->severity, Severity::warning) << "a poll never had them";
}

TEST_F(GapTest, APipelineThatWasPolledHasOneWhateverSlotIsThere) {
  facts_.progress->slot = "";
  EXPECT_EQ(gap(), "MODE_CHANGED closes");
  facts_.slot.reset();
  EXPECT_EQ(gap(), "MODE_CHANGED closes");
}

TEST_F(GapTest, WhatTheTableDoesNotHaveCannotBeClosedAndIsNamed) {
  facts_.slot.reset();
  facts_.table->may_select = false;
  EXPECT_EQ(gap(), "SLOT_MISSING error");
  facts_.table->may_select = true;
  facts_.table->sequence = "";
  EXPECT_NE(what().find("no number"), std::string::npos);
  facts_.table->sequence = "outbox.event_seq";
  facts_.table->sequence_cache = 50;
  EXPECT_NE(what().find("CACHE 50"), std::string::npos);
  facts_.table->sequence_cache = 1;
  facts_.progress->delivered_seq.reset();
  EXPECT_NE(what().find("no sequence number was saved"), std::string::npos);
  facts_.progress->delivered_seq = 41;
  facts_.emitted = true;
  EXPECT_NE(what().find("outbox.emit"), std::string::npos);
  facts_.emitted = false;
  EXPECT_EQ(gap(), "SLOT_MISSING closes");
}

TEST_F(GapTest, DeletedRowsOfATeamsOwnTableCannotBeReadAgain) {
  facts_.slot.reset();
  facts_.table->rows_deleted = 3;
  PostgresOptions own = options();
  EXPECT_EQ(gap(), "SLOT_MISSING closes") << "outbox.event refuses deletes";
  own.table = {"public", "outbox"};
  EXPECT_EQ(judge_gap(facts_, own)->severity, Severity::error);
}

TEST_F(GapTest, RowsThatRetentionDeletedWereDeliveredButThoseOfAnybodyElseMayNotBe) {
  facts_.slot.reset();
  PostgresOptions own = options();
  own.table = {"public", "outbox"};
  facts_.table->rows_deleted = 1000;
  facts_.table->removed = {42, 1000};
  EXPECT_EQ(judge_gap(facts_, own)->severity, Severity::warning);
  facts_.table->rows_deleted = 1001;
  EXPECT_EQ(judge_gap(facts_, own)->severity, Severity::error);
}

TEST_F(GapTest, RowsThatRetentionRemovedAboveWhatWasDeliveredAreNamed) {
  facts_.slot.reset();
  facts_.table->first_seq_kept = 1;  // an emptied partition is still there
  facts_.table->removed.below = 42;
  EXPECT_EQ(gap(), "SLOT_MISSING closes");
  facts_.table->removed.below = 43;
  EXPECT_EQ(gap(), "SLOT_MISSING error");
  EXPECT_NE(what().find("seq 42 to 42"), std::string::npos);
}

TEST_F(GapTest, PartitionsThatWereDroppedAboveWhatWasDeliveredAreNamed) {
  facts_.slot.reset();
  facts_.table->first_seq_kept = 42;
  EXPECT_EQ(gap(), "SLOT_MISSING closes");
  facts_.table->first_seq_kept = 101;
  EXPECT_EQ(gap(), "SLOT_MISSING error");
  EXPECT_NE(what().find("seq 42 to 100"), std::string::npos);
}

}  // namespace
}  // namespace outbox::postgres
