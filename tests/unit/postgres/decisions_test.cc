// The reader's pure decisions: nap, reconnect delay, lease, lag.

#include <gtest/gtest.h>

#include "connectors/postgres/detail/nap.h"
#include "connectors/postgres/detail/reconnect_delay.h"
#include "connectors/postgres/detail/slot_lease.h"
#include "connectors/postgres/detail/status_message.h"
#include "connectors/postgres/source_facts.h"

namespace outbox::postgres {
namespace {

using core::Duration;
using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{std::chrono::hours(1)};

// Drains every `every` with `events` each time, for a second; says how often it napped.
int naps_in_a_second(Nap& nap, Duration every, uint64_t events) {
  int naps = 0;
  for (Instant now = kStart; now < kStart + seconds(1); now += every) {
    if (nap.drained(now, events) > now) ++naps;
  }
  return naps;
}

TEST(NapTest, At500And2000EventsASecondItNeverNaps) {
  Nap slow(Nap::kLengthTcp);
  EXPECT_EQ(naps_in_a_second(slow, milliseconds(2), 1), 0);
  Nap faster(Nap::kLengthTcp);
  EXPECT_EQ(naps_in_a_second(faster, milliseconds(1), 2), 0);
}

TEST(NapTest, AboveTheRateItNapsTenToTwentyMilliseconds) {
  Nap nap(Nap::kLengthTcp);
  EXPECT_GT(naps_in_a_second(nap, milliseconds(1), 100), 900);
  const Instant now = kStart + seconds(1);
  const Duration length = nap.drained(now, 100) - now;
  EXPECT_GE(length, milliseconds(10));
  EXPECT_LE(length, milliseconds(20));
}

TEST(NapTest, OverAUnixSocketItIsShortSinceThatIsFullAfterAFewHundredMessages) {
  Nap nap(Nap::kLengthUnix);
  naps_in_a_second(nap, milliseconds(1), 100);
  const Instant now = kStart + seconds(1);
  EXPECT_EQ(nap.drained(now, 100), now + milliseconds(1));
}

TEST(NapTest, TheFirstEventAfterAQuietTimeIsNotKeptWaiting) {
  Nap nap(Nap::kLengthTcp);
  naps_in_a_second(nap, milliseconds(1), 100);
  ASSERT_TRUE(nap.busy());
  const Instant later = kStart + seconds(5);
  EXPECT_LE(nap.drained(later, 1), later);
}

TEST(NapTest, OneBurstAfterSilenceDoesNotMakeItNap) {
  Nap nap(Nap::kLengthTcp);
  nap.drained(kStart, 0);
  EXPECT_LE(nap.drained(kStart + seconds(1), 200), kStart + seconds(1));
}

TEST(NapTest, EventsThatCreditCutOffCountForTheRate) {
  Nap nap(Nap::kLengthTcp);
  nap.drained(kStart, 0);
  nap.add(5000);
  EXPECT_GT(nap.drained(kStart + milliseconds(60), 0), kStart + milliseconds(60));
}

TEST(ReconnectDelayTest, TheFirstAttemptAfterALivingSessionGoesAtOnce) {
  ReconnectDelay delay(1);
  EXPECT_EQ(delay.after_loss(seconds(60)), Duration::zero());
}

TEST(ReconnectDelayTest, ASessionThatLivedAMomentIsNoReasonToStormTheServer) {
  ReconnectDelay delay(1);
  Duration total{};
  for (int i = 0; i < 20; ++i) total += delay.after_loss(milliseconds(5));
  EXPECT_GT(total, seconds(2));  // ten a second
}

TEST(ReconnectDelayTest, DelaysGrowWithFullJitterAndStayBelowTheLimit) {
  ReconnectDelay delay(7);
  Duration longest{};
  Duration shortest = seconds(9);
  for (int i = 0; i < 1000; ++i) {
    const Duration drawn = delay.after_failure(Trouble::passing);
    const Duration limit = milliseconds(50) * (1 << std::min(i, 10));
    EXPECT_LE(drawn, std::min<Duration>(ReconnectDelay::kLastLimit, limit));
    if (i > 10) {
      longest = std::max(longest, drawn);
      shortest = std::min(shortest, drawn);
    }
  }
  EXPECT_GT(longest, ReconnectDelay::kLastLimit * 9 / 10);
  EXPECT_LT(shortest, milliseconds(100));
}

TEST(ReconnectDelayTest, TwoRelaysDoNotComeBackInStep) {
  ReconnectDelay one(1);
  ReconnectDelay other(2);
  int equal = 0;
  for (int i = 0; i < 20; ++i) {
    equal += one.after_failure(Trouble::passing) == other.after_failure(Trouble::passing);
  }
  EXPECT_EQ(equal, 0);
}

TEST(ReconnectDelayTest, RefusedAccessIsTriedAgainSlowly) {
  ReconnectDelay delay(1);
  for (int i = 0; i < 5; ++i) EXPECT_GE(delay.after_failure(Trouble::access), seconds(30));
}

TEST(ReconnectDelayTest, RelaysThatAreRefusedTogetherComeBackOverAWholeSecond) {
  Duration earliest = seconds(99);
  Duration latest{};
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Duration first = ReconnectDelay(seed).after_failure(Trouble::access);
    EXPECT_LE(first, seconds(31));
    earliest = std::min(earliest, first);
    latest = std::max(latest, first);
  }
  EXPECT_GT(latest - earliest, milliseconds(900));
}

TEST(ReconnectDelayTest, AHeldSlotIsAskedForEverySecondAndFirstALittleSooner) {
  ReconnectDelay delay(1);
  EXPECT_LE(delay.after_failure(Trouble::slot_active), milliseconds(200));
  for (int i = 0; i < 10; ++i) delay.after_failure(Trouble::slot_active);
  EXPECT_EQ(delay.after_failure(Trouble::slot_active), seconds(1));
}

TEST(SlotLeaseTest, LastsTenSecondsFromTheLastWordOfTheWalsender) {
  SlotLease lease;
  EXPECT_LT(lease.until(), kStart);
  lease.acquired(4711, kStart);
  EXPECT_EQ(lease.until(), kStart + seconds(10));
  lease.heard(kStart + seconds(3));
  EXPECT_EQ(lease.until(), kStart + seconds(13));
}

TEST(SlotLeaseTest, EndsAtOnceWithTheConnection) {
  SlotLease lease;
  lease.acquired(4711, kStart);
  lease.lost();
  EXPECT_LT(lease.until(), kStart);
  lease.heard(kStart);
  lease.seen_from_outside(4711, kStart);
  EXPECT_LT(lease.until(), kStart);
}

TEST(SlotLeaseTest, AHeartbeatThatSeesOurWalsenderRenewsItFromWhenItWasSent) {
  SlotLease lease;
  lease.acquired(4711, kStart);
  lease.seen_from_outside(4711, kStart + seconds(5));
  EXPECT_EQ(lease.until(), kStart + seconds(15));
}

TEST(SlotLeaseTest, AHeartbeatThatSeesAnotherWalsenderRenewsNothing) {
  SlotLease lease;
  lease.acquired(4711, kStart);
  lease.seen_from_outside(4712, kStart + seconds(5));
  lease.seen_from_outside(0, kStart + seconds(5));
  EXPECT_EQ(lease.until(), kStart + seconds(10));
}

TEST(LagTest, IsTheSequenceAtTheHeartbeatMinusTheHighestSettled) {
  SourceFacts facts;
  EXPECT_EQ(lag_events(facts, 0, core::Lsn{}), std::nullopt);
  facts.heartbeat = core::Lsn{1000};
  facts.last_seq = 500;
  EXPECT_EQ(lag_events(facts, 420, core::Lsn{900}), 80u);
  EXPECT_EQ(lag_events(facts, 600, core::Lsn{900}), 0u);
}

TEST(LagTest, ReturnsToZeroOnceTheHeartbeatItselfIsConfirmed) {
  SourceFacts facts;
  facts.heartbeat = core::Lsn{1000};
  facts.last_seq = 500;  // 20 of them were rolled back
  EXPECT_EQ(lag_events(facts, 480, core::Lsn{1000}), 0u);
}

TEST(LagTest, WalKeptAndWalLagNeverGoBelowZero) {
  SourceFacts facts;
  facts.wal_end = core::Lsn{1000};
  facts.restart = core::Lsn{400};
  EXPECT_EQ(facts.kept_wal_bytes(), 600u);
  EXPECT_EQ(facts.lag_wal_bytes(core::Lsn{900}), 100u);
  EXPECT_EQ(facts.lag_wal_bytes(core::Lsn{1100}), 0u);
}

TEST(StatusMessageTest, HasTheLayoutThatPostgresReads) {
  const StatusMessage message = status_message(core::Lsn{0x0102030405060708}, core::Lsn{0x10},
                                               {946'684'800'000'000 + 5}, true);
  const std::string_view bytes(message.data(), message.size());
  EXPECT_EQ(bytes, std::string_view("r\x01\x02\x03\x04\x05\x06\x07\x08"
                                    "\0\0\0\0\0\0\0\x10"
                                    "\0\0\0\0\0\0\0\x10"
                                    "\0\0\0\0\0\0\0\x05\x01",
                                    34));
}

}  // namespace
}  // namespace outbox::postgres
