#include "connectors/kafka/suspects.h"

#include <gtest/gtest.h>

#include <set>

namespace outbox::kafka {
namespace {

using core::Ticket;

Ticket ticket(uint64_t index) { return Ticket{core::StreamId{0}, index}; }

std::vector<Ticket> tickets(uint64_t from, uint64_t to) {
  std::vector<Ticket> list;
  for (uint64_t index = from; index < to; ++index) list.push_back(ticket(index));
  return list;
}

// Sends what is admitted, in order; a group with an offender is refused as a whole.
struct Hunt {
  std::set<uint64_t> offenders;
  size_t refusals = 0;
  std::vector<uint64_t> rejected = {};
  std::vector<uint64_t> delivered = {};

  void run(uint64_t count) {
    Suspects suspects;
    suspects.accuse(tickets(0, count));
    std::set<uint64_t> open;
    for (uint64_t index = 0; index < count; ++index) open.insert(index);
    while (!suspects.empty()) {
      std::vector<Ticket> group;
      for (const uint64_t index : open) {
        if (!suspects.admits(ticket(index))) continue;
        suspects.sent(ticket(index));
        group.push_back(ticket(index));
      }
      ASSERT_FALSE(group.empty());
      answer(suspects, group, open);
    }
  }

  void answer(Suspects& suspects, const std::vector<Ticket>& group, std::set<uint64_t>& open) {
    bool refused = false;
    for (const Ticket sent : group) refused = refused || offenders.contains(sent.index);
    if (refused && group.size() > 1) {
      ++refusals;
      suspects.accuse(group);
      suspects.recall();
      return;
    }
    for (const Ticket sent : group) {
      suspects.acquit(sent);
      open.erase(sent.index);
      (refused ? rejected : delivered).push_back(sent.index);
    }
    refusals += refused ? 1 : 0;
    if (refused) suspects.recall();
  }
};

TEST(Suspects, FindTheOffenderInAboutLog2Refusals) {
  for (const uint64_t guilty : {0ULL, 1ULL, 499ULL, 500ULL, 998ULL, 999ULL}) {
    Hunt hunt{{guilty}};
    hunt.run(1'000);
    EXPECT_EQ(hunt.rejected, std::vector<uint64_t>{guilty});
    EXPECT_LE(hunt.refusals, 11U) << guilty;
  }
}

TEST(Suspects, AcquitTheInnocentInTheirOrder_Invariant3) {
  Hunt hunt{{7}};
  hunt.run(64);
  std::vector<uint64_t> sorted = hunt.delivered;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(hunt.delivered, sorted);
}

TEST(Suspects, KeepEverybodyYoungerWaiting) {
  Suspects suspects;
  suspects.accuse(tickets(10, 20));
  EXPECT_FALSE(suspects.admits(ticket(20)));
  EXPECT_TRUE(suspects.admits(ticket(10)));
}

TEST(Suspects, LetWhatIsOlderGoFirst_ElseItsKeyWouldStandStill) {
  Suspects suspects;
  suspects.accuse(tickets(10, 20));
  ASSERT_TRUE(suspects.admits(ticket(3)));
  suspects.sent(ticket(3));
  EXPECT_EQ(suspects.size(), 11U);
  suspects.acquit(ticket(3));
  EXPECT_EQ(suspects.size(), 10U);
}

TEST(Suspects, SendAtMostHalfOfWhatIsLeftAtOnce) {
  Suspects suspects;
  suspects.accuse(tickets(0, 9));
  size_t sent = 0;
  for (const Ticket suspect : tickets(0, 9)) {
    if (!suspects.admits(suspect)) continue;
    suspects.sent(suspect);
    ++sent;
  }
  EXPECT_EQ(sent, 4U);
  EXPECT_EQ(suspects.outside(), 4U);
  for (uint64_t index = 0; index < 3; ++index) EXPECT_FALSE(suspects.acquit(ticket(index)));
  EXPECT_FALSE(suspects.admits(ticket(4))) << "the first group is not back yet";
  EXPECT_TRUE(suspects.acquit(ticket(3)));
  EXPECT_TRUE(suspects.admits(ticket(4)));
}

TEST(Suspects, OpenThePartitionWhenTheLastIsAcquitted) {
  Suspects suspects;
  suspects.accuse(tickets(0, 2));
  suspects.sent(ticket(0));
  EXPECT_TRUE(suspects.acquit(ticket(0)));
  suspects.sent(ticket(1));
  EXPECT_TRUE(suspects.acquit(ticket(1)));
  EXPECT_TRUE(suspects.empty());
}

}  // namespace
}  // namespace outbox::kafka
