// What each planted difference is called, at every size of memory: with all in one run, and with
// edges of runs between any two events.

#include <algorithm>
#include <set>

#include "tests/unit/verify/world.h"

namespace outbox::verify {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, ComparisonTest, testing::Values(1, 300, 4096, kSorterBytes));

TEST_P(ComparisonTest, SidesThatAgreeGiveNoFindingWhateverTheirSize) {
  for (const uint64_t events : {0, 1, 2, 3, 50, 1000}) {
    World world(events);
    run(world);
    EXPECT_TRUE(world.findings.empty());
    EXPECT_TRUE(world.summary.clean());
    EXPECT_EQ(world.summary.rows, events);
    EXPECT_EQ(world.summary.delivered, events);
    EXPECT_EQ(world.summary.records, events);
  }
}

TEST_P(ComparisonTest, EachSingleRecordThatIsAwayIsNamedLost) {
  for (uint64_t away = 1; away <= 40; ++away) {
    World world(40);
    world.records.erase(world.records.begin() + static_cast<long>(away) - 1);
    run(world);
    EXPECT_EQ(world.ids(Anomaly::lost), texts({away}));
    EXPECT_EQ(world.findings.size(), 1u);
    EXPECT_EQ(world.findings[0].seq, away);
    EXPECT_EQ(world.findings[0].jepsen, "lost-write");
    EXPECT_FALSE(world.summary.clean());
  }
}

TEST_P(ComparisonTest, ALostEventSaysWhichLaterOneOfItsKeyIsThereAlready) {
  for (const uint64_t partition : {0, 1}) {
    World world(40);
    for (Record& record : world.records) {
      if (record.place.offset % 2 == 0) record.place.partition = static_cast<uint32_t>(partition);
    }
    const auto lose = [&](uint64_t seq) {
      std::erase_if(world.records, [&](const Record& one) { return one.id == id_of(seq); });
    };
    lose(12);
    lose(19);
    lose(38);
    run(world);
    ASSERT_EQ(world.ids(Anomaly::lost), texts({12, 19, 38}));
    EXPECT_EQ(world.findings[0].overtaken_by, 40u);
    EXPECT_EQ(world.findings[1].overtaken_by, 40u);
    EXPECT_EQ(world.findings[2].overtaken_by, std::nullopt);
    EXPECT_NE(world.findings[0].detail.find("up to seq 40"), std::string::npos);
  }
}

TEST_P(ComparisonTest, AnEmptyTopicLosesEveryRowAndAnEmptySourceMakesEveryRecordForeign) {
  World lost(9);
  lost.records.clear();
  run(lost);
  EXPECT_EQ(lost.summary.lost, 9u);
  World foreign(9);
  foreign.rows.clear();
  run(foreign);
  EXPECT_EQ(foreign.summary.foreign, 9u);
  EXPECT_EQ(foreign.summary.lost, 0u);
}

TEST_P(ComparisonTest, ARepeatedRecordIsADuplicateAndNoFailure) {
  World world(30);
  world.records.push_back(World::record(12));
  run(world);
  EXPECT_EQ(world.ids(Anomaly::duplicate), texts({12}));
  EXPECT_EQ(world.findings[0].record->offset, 30u);
  EXPECT_EQ(world.findings[0].jepsen, "duplicate");
  EXPECT_TRUE(world.summary.clean());
}

TEST_P(ComparisonTest, AChangedByteIsAlteredAndNotLost) {
  World world(30);
  world.records[4].content[15] ^= 1;
  run(world);
  EXPECT_EQ(world.ids(Anomaly::altered), texts({5}));
  EXPECT_EQ(world.findings.size(), 1u);
  EXPECT_FALSE(world.summary.clean());
}

TEST_P(ComparisonTest, AChangedRepeatIsAlteredBesideTheIntactRecord) {
  World world(30);
  world.records.push_back(World::record(5));
  world.records.back().content[0] ^= 1;
  run(world);
  EXPECT_EQ(world.ids(Anomaly::altered), texts({5}));
  EXPECT_EQ(world.summary.duplicates, 0u);
}

TEST_P(ComparisonTest, TwoSwappedRecordsOfAKeyAreOutOfOrder) {
  World world(30);
  std::swap(world.records[3], world.records[3 + kKeys]);  // seq 4 and 11
  run(world);
  EXPECT_EQ(world.ids(Anomaly::out_of_order), texts({4}));
  EXPECT_EQ(world.findings.size(), 1u);
  EXPECT_EQ(world.findings[0].jepsen, "nonmonotonic-send");
  EXPECT_NE(world.findings[0].detail.find("seq 11"), std::string::npos);
}

TEST_P(ComparisonTest, RecordsOfOtherKeysPartitionsOrWithoutAKeyHaveNoOrder) {
  World keys(30), partitions(30), keyless(30);
  std::swap(keys.records[3], keys.records[4]);
  std::swap(partitions.records[3], partitions.records[3 + kKeys]);
  partitions.records[3].place.partition = 1;
  std::swap(keyless.records[3], keyless.records[3 + kKeys]);
  keyless.records[3].key = keyless.records[3 + kKeys].key = 0;
  for (World* world : {&keys, &partitions, &keyless}) {
    run(*world);
    EXPECT_TRUE(world->findings.empty());
  }
}

TEST_P(ComparisonTest, ARepeatOfAWindowIsNoDisorder) {
  World world(20);
  const std::vector<Record> window(world.records.begin() + 8, world.records.begin() + 15);
  world.records.insert(world.records.begin() + 15, window.begin(), window.end());
  run(world);
  EXPECT_EQ(world.summary.duplicates, 7u);
  EXPECT_EQ(world.summary.out_of_order, 0u);
}

TEST_P(ComparisonTest, InTheWalTheOrderOfCommitsCountsAndNotThatOfNumbers) {
  World concurrent(30), swapped(30), unknown(30);
  for (World* world : {&concurrent, &swapped, &unknown}) {
    world->scope.from_wal = true;
    for (uint64_t seq = 1; seq <= 30; ++seq) {
      world->records[seq - 1].position = {PositionKind::lsn, {1000 * seq, 1}};
    }
    std::swap(world->records[3], world->records[3 + kKeys]);
  }
  std::swap(concurrent.records[3].position, concurrent.records[3 + kKeys].position);
  for (Record& record : unknown.records) record.position = {};
  unknown.scope.topics[kTopic].has_positions = false;
  run(concurrent);
  EXPECT_TRUE(concurrent.findings.empty());
  run(swapped);
  EXPECT_EQ(swapped.ids(Anomaly::out_of_order), texts({4}));
  run(unknown);
  EXPECT_TRUE(unknown.findings.empty());
}

TEST_P(ComparisonTest, AStrangersRecordIsForeignWithAnIdAndWithout) {
  World world(30);
  world.records.push_back(World::record(99));
  world.records.back().position = {};
  world.records.push_back(World::record(98));
  world.without_id = 2;
  run(world);
  EXPECT_EQ(world.summary.foreign, 4u);
  EXPECT_EQ(world.summary.records, 34u);
  const auto ids = world.ids(Anomaly::foreign);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), ""), 2);
  std::multiset<std::string> names;
  for (const Finding& one : world.findings) names.insert(one.jepsen);
  EXPECT_EQ(names, (std::multiset<std::string>{"", "", "", "G1a"}));
}

TEST_P(ComparisonTest, ADeadLetterIsNoLossAndItsChangedByteIsSeen) {
  World world(30), altered(30), formatted(30);
  for (World* one : {&world, &altered, &formatted}) {
    one->records[9].kind = RecordKind::dead_letter;
    one->records[9].place.topic = kLetters;
  }
  altered.records[9].content[3] ^= 1;
  formatted.records[9].content[3] ^= 1;
  formatted.rows[9].plain = false;
  run(world);
  EXPECT_TRUE(world.findings.empty());
  EXPECT_EQ(world.summary.dead_letters, 1u);
  EXPECT_EQ(world.summary.delivered, 29u);
  run(altered);
  EXPECT_EQ(altered.ids(Anomaly::altered), texts({10}));
  run(formatted);
  EXPECT_TRUE(formatted.findings.empty());
}

TEST_P(ComparisonTest, RowsThatARouteMaySkipAreCountedAsSkipped) {
  World world(30);
  world.rows[9].refused = Refused::skipped;
  world.records.erase(world.records.begin() + 9);
  run(world);
  EXPECT_TRUE(world.findings.empty());
  EXPECT_EQ(world.summary.skipped, 1u);
}

TEST_P(ComparisonTest, WhatIsNotSettledYetIsNeverLostAndItsRecordsAreNotForeign) {
  World world(30);
  world.scope.settled_seq = 25;
  world.records.erase(world.records.begin() + 27, world.records.end());
  run(world);
  EXPECT_TRUE(world.findings.empty());
  EXPECT_EQ(world.summary.rows, 25u);
  EXPECT_EQ(world.summary.unseen, 3u);
}

TEST_P(ComparisonTest, RecordsOfRowsThatAreGoneAreOfBeforeTheRange) {
  World world(30);
  world.rows.erase(world.rows.begin(), world.rows.begin() + 10);
  world.scope.from_seq = 11;
  world.scope.begins_late = true;
  world.records.push_back(World::record(29'000));
  run(world);
  EXPECT_EQ(world.summary.before_range, 10u);
  EXPECT_EQ(world.ids(Anomaly::foreign), texts({29'000}));
  world.scope.begins_late = false;
  run(world);
  EXPECT_EQ(world.summary.foreign, 11u);
}

TEST_P(ComparisonTest, EventsWithoutARowAreForeignOnlyWhereThereAreNone) {
  World world(30);
  world.records.push_back(World::record(99));
  world.scope.rowless_events = true;
  world.without_id = 1;
  run(world);
  EXPECT_EQ(world.summary.rowless, 1u);
  EXPECT_EQ(world.summary.foreign, 1u);
}

TEST_P(ComparisonTest, WhatTheBrokerMayHaveRemovedIsNotProvableAndWhatIsTooYoungForItIsLost) {
  World world(30);
  world.records.erase(world.records.begin(), world.records.begin() + 10);
  TopicState& topic = world.scope.topics[kTopic];
  topic.trimmed = true;
  run(world);
  EXPECT_EQ(world.summary.log_removed, 10u);
  EXPECT_TRUE(world.summary.clean());
  topic.kept_from_us = 7;  // the time of seq 7
  run(world);
  EXPECT_EQ(world.summary.log_removed, 6u);
  EXPECT_EQ(world.ids(Anomaly::lost), texts({7, 8, 9, 10}));
  topic.compacted = true;
  run(world);
  EXPECT_EQ(world.summary.compacted, 10u);
  topic = TopicState{};
  topic.found = TopicState::Found::missing;
  run(world);
  EXPECT_EQ(world.summary.lost, 10u);
}

TEST_P(ComparisonTest, InTheWalRowsOlderThanTheFirstDeliveredAreOfBeforeTheSlot) {
  World world(30);
  world.scope.from_wal = true;
  world.records.erase(world.records.begin() + 19);
  world.records.erase(world.records.begin(), world.records.begin() + 10);
  run(world);
  EXPECT_EQ(world.summary.before_slot, 10u);
  EXPECT_EQ(world.ids(Anomaly::lost), texts({20}));
  world.records.clear();
  run(world);
  EXPECT_EQ(world.summary.lost, 30u);
}

TEST_P(ComparisonTest, TwoRowsOfOneIdAreToldAndBothContentsAreGood) {
  World world(10);
  world.rows.push_back(World::row(11));
  world.rows.back().id = id_of(3);
  world.records.push_back(World::record(11));
  world.records.back().id = id_of(3);
  world.scope.settled_seq = 11;
  run(world);
  EXPECT_EQ(world.summary.same_id, 1u);
  EXPECT_EQ(world.summary.altered, 0u);
  EXPECT_EQ(world.summary.lost, 0u);
}

}  // namespace
}  // namespace outbox::verify
