// What letters in the journal's table say of rows and records.
#include "tests/unit/verify/world.h"

namespace outbox::verify {
namespace {

class ComparisonLettersTest : public ComparisonTest {};

INSTANTIATE_TEST_SUITE_P(Memory, ComparisonLettersTest,
                         testing::Values(1, 300, 4096, kSorterBytes));

TEST_P(ComparisonLettersTest,
       ARowWhoseLetterIsKeptIsNotLostAndOneThatWasReplayedMustHaveItsRecord) {
  for (const RecordKind kind : {RecordKind::letter_kept, RecordKind::letter_replayed}) {
    World world(40);
    world.records.erase(world.records.begin() + 6);
    Record letter;
    letter.id = id_of(7);
    letter.kind = kind;
    world.records.push_back(letter);
    Record copy = World::record(7);
    copy.kind = RecordKind::dead_letter;
    copy.place.topic = kLetters;
    world.records.push_back(copy);
    run(world);
    const bool kept = kind == RecordKind::letter_kept;
    EXPECT_EQ(world.summary.dead_letters, kept ? 1u : 0u);
    EXPECT_EQ(world.ids(Anomaly::lost), kept ? texts({}) : texts({7}));
  }
}

TEST_P(ComparisonLettersTest, AReplayedRecordMayComeLateIfItsKeyWentOnMeanwhile) {
  for (const bool passed : {false, true}) {
    World world(40);
    world.records.push_back(world.records[6]);
    world.records.erase(world.records.begin() + 6);
    Record letter;
    letter.id = id_of(7);
    letter.kind = RecordKind::letter_replayed;
    letter.passed = passed;
    world.records.push_back(letter);
    run(world);
    EXPECT_EQ(world.ids(Anomaly::out_of_order), passed ? texts({}) : texts({7}));
    EXPECT_EQ(world.summary.late, passed ? 1u : 0u);
    EXPECT_EQ(world.summary.delivered, 40u);
  }
}

TEST_P(ComparisonLettersTest, ARepairedRecordIsCountedAsSuchAndNeverCalledOutOfOrder) {
  for (const bool to_the_end : {false, true}) {
    World world(40);
    Record letter;
    letter.id = id_of(7);
    letter.kind = RecordKind::letter_replayed;
    letter.passed = true;
    letter.repaired = true;
    world.records.push_back(letter);
    if (to_the_end) {
      world.records.push_back(world.records[6]);
      world.records.erase(world.records.begin() + 6);
    }
    run(world);
    EXPECT_TRUE(world.summary.clean());
    EXPECT_EQ(world.summary.repaired, 1u);
    EXPECT_EQ(world.summary.late, to_the_end ? 1u : 0u);
  }
}

TEST_P(ComparisonLettersTest, TheRecordOfAnEditedLetterIsNotForeign) {
  World world(40);
  world.records.push_back(World::record(41));
  Record letter;
  letter.id = id_of(41);
  letter.kind = RecordKind::letter_edited;
  world.records.push_back(letter);
  run(world);
  EXPECT_TRUE(world.summary.clean());
  EXPECT_EQ(world.summary.edited, 1u);
}

}  // namespace
}  // namespace outbox::verify
