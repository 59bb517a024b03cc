#include "relay/core/position.h"

#include <gtest/gtest.h>

#include <string>

#include "relay/core/checkpoint.h"
#include "relay/core/lease.h"

namespace outbox::core {
namespace {

TEST(PositionTest, ACommitsBoundaryLiesBehindItsEventsAndBeforeTheNextOnes) {
  const Position last_event{0x100, 9};
  const Position end{0x120, 0};
  const Position next_event{0x120, 1};  // the next commit record starts where this one ends
  EXPECT_LT(last_event, end);
  EXPECT_LT(end, next_event);
}

TEST(PositionTest, PrintsInTheFormOfItsSource) {
  EXPECT_EQ(to_string({0x16B374D848, 3}, PositionForm::lsn_ordinal), "16/B374D848/3");
  EXPECT_EQ(to_string({0xA, 10'000'000}, PositionForm::lsn_ordinal), "0/A/10000000");
  EXPECT_EQ(to_string({4711, 0}, PositionForm::number), "4711");
  EXPECT_EQ(to_string({UINT64_MAX, UINT64_MAX}, PositionForm::lsn_ordinal),
            "FFFFFFFF/FFFFFFFF/18446744073709551615");
}

TEST(PositionTest, AppendsBehindWhatIsThere) {
  std::string text = "at ";
  append_position(text, {1, 2}, PositionForm::lsn_ordinal);
  EXPECT_EQ(text, "at 0/1/2");
}

TEST(TicketTest, SurvivesTheOpaqueOfAClientLibrary) {
  for (const Ticket ticket : {Ticket{StreamId{0}, 0}, Ticket{StreamId{65535}, 1},
                              Ticket{StreamId{7}, (uint64_t{1} << 48) - 1}}) {
    EXPECT_EQ(Ticket::unpack(ticket.pack()), ticket);
  }
}

TEST(LeaseTest, HoldsUntilItsInstantAndNotAtIt) {
  const Instant until(std::chrono::seconds(10));
  const Lease lease{1, until};
  EXPECT_TRUE(lease.holds_at(until - Duration(1)));
  EXPECT_FALSE(lease.holds_at(until));
  EXPECT_FALSE(Lease{}.holds_at(Instant{}));
}

TEST(ProgressTest, DiffersInEachOfItsMarks) {
  const Progress progress{StreamId{1}, {2, 0}, {1, 5}};
  EXPECT_EQ(progress, (Progress{StreamId{1}, {2, 0}, {1, 5}}));
  EXPECT_FALSE(progress == (Progress{StreamId{0}, {2, 0}, {1, 5}}));
  EXPECT_FALSE(progress == (Progress{StreamId{1}, {3, 0}, {1, 5}}));
  EXPECT_FALSE(progress == (Progress{StreamId{1}, {2, 0}, {1, 6}}));
}

}  // namespace
}  // namespace outbox::core
