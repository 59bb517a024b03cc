// Ids of captured events: what they depend on, and what not.

#include "connectors/postgres/detail/change_id.h"

#include <gtest/gtest.h>

#include <set>

#include "connectors/postgres/detail/timelines.h"

namespace outbox::postgres {
namespace {

const ChangePlace kPlace{"7377", 1, core::Lsn{0x1000}, 0, 0};

ChangePlace place(auto change) {
  ChangePlace changed = kPlace;
  change(changed);
  return changed;
}

TEST(ChangeIdTest, TheSamePlaceHasTheSameIdInEveryRelease) {
  EXPECT_EQ(core::to_string(change_id(kPlace)), core::to_string(change_id(kPlace)));
  EXPECT_EQ(core::to_string(change_id(kPlace)), "74c08db7-8ee8-84b4-aa31-e5c20df60c3f");
}

TEST(ChangeIdTest, EachPartOfThePlaceMakesAnotherId) {
  const std::set<core::Uuid> ids = {
      change_id(kPlace),
      change_id(place([](ChangePlace& it) { it.system_id = "7378"; })),
      change_id(place([](ChangePlace& it) { it.timeline = 2; })),
      change_id(place([](ChangePlace& it) { it.lsn = core::Lsn{0x1001}; })),
      change_id(place([](ChangePlace& it) { it.row = 1; })),
      change_id(place([](ChangePlace& it) { it.half = 1; }))};
  EXPECT_EQ(ids.size(), 6u);
}

TEST(ChangeIdTest, ItIsAUuidOfVersion8) {
  const std::string text = core::to_string(change_id(kPlace));
  EXPECT_EQ(text[14], '8');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

TEST(TimelinesTest, AnLsnBeforeAForkWasWrittenOnTheTimelineOfBefore) {
  const Timelines timelines("1\t0/3000000\tpromoted\n2\t0/5000000\tpromoted\n", 3);
  EXPECT_EQ(timelines.written_on(core::Lsn{0x1000}), 1u);
  EXPECT_EQ(timelines.written_on(core::Lsn{0x2ffffff}), 1u);
  EXPECT_EQ(timelines.written_on(core::Lsn{0x3000000}), 2u);
  EXPECT_EQ(timelines.written_on(core::Lsn{0x5000000}), 3u);
}

TEST(TimelinesTest, WithoutAForkAllIsOnTheServersOwn) {
  EXPECT_EQ(Timelines({}, 1).written_on(core::Lsn{1}), 1u);
}

TEST(TimelinesTest, TheEndOfOneIsReadFromTheHistoryOfALaterOne) {
  const std::string history =
      "1\t0/3000000\tno recovery target specified\n\n2\t1/A0\tbefore 2026-11-21\n";
  EXPECT_EQ(end_of_timeline(history, 1), core::Lsn{0x3000000});
  EXPECT_EQ(end_of_timeline(history, 2), (core::Lsn{(uint64_t{1} << 32) + 0xA0}));
  EXPECT_EQ(end_of_timeline(history, 3), std::nullopt);
  EXPECT_EQ(end_of_timeline("", 1), std::nullopt);
  EXPECT_EQ(end_of_timeline("1\tno lsn", 1), std::nullopt);
}

}  // namespace
}  // namespace outbox::postgres
