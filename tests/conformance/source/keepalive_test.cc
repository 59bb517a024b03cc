// What moves the slot, and what keeps the connection.

#include <algorithm>
#include <cstdint>

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class KeepaliveTest : public SourceTest {
 protected:
  // WAL that has nothing to do with the outbox.
  void write_other_wal() {
    sql_.run("create table if not exists noise (text text)");
    sql_.run("insert into noise select repeat('x', 1000) from generate_series(1, 1000)");
  }
};

TEST_F(KeepaliveTest, AKeepaliveIsABoundaryBehindTheEventsBeforeItAndNeverPassesAnOpenOne) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("open"));
  ASSERT_TRUE(relay.run_until_events(1));
  const core::Position open = relay.events()[0].position;
  const core::Lsn before = confirmed_flush(relay);
  write_other_wal();
  ASSERT_TRUE(relay.run_until([&] {
    return !relay.boundaries().empty() &&
           relay.boundaries().back().position.major > open.major + 1'000'000;
  })) << "keepalives come while there is nothing to send";
  relay.run_for(seconds(2));
  // They came out behind the event; nobody settled it, so nothing is confirmed.
  EXPECT_GT(relay.boundaries().back().position, open);
  EXPECT_EQ(confirmed_flush(relay), before);
  EXPECT_LT(confirmed_flush(relay).value, open.major);
}

TEST_F(KeepaliveTest, WithNothingInFlightKeepalivesMoveTheSlot) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  write_other_wal();
  const auto end = core::parse_lsn(sql_.value("select pg_current_wal_flush_lsn()"));
  EXPECT_TRUE(relay.run_until([&] { return confirmed_flush(relay) >= *end; }));
}

TEST_F(KeepaliveTest, ASlowReaderInsideALargeTransactionSeesNoBoundaryInsideIt) {
  RelayEnd relay(database_,
                 [](auto& options) { options.url += " options='-c wal_sender_timeout=5s'"; });
  relay.credit_events = 20;
  ASSERT_TRUE(relay.connect());
  sql_.run(
      "insert into outbox.event (aggregate_type, event_type, payload)"
      " select 'order', 'e' || i, '1' from generate_series(1, 20000) i");
  ASSERT_TRUE(relay.run_until_events(20'000)) << relay.reason();
  const std::vector<Seen> items = relay.items();
  const auto first = std::find_if(items.begin(), items.end(), [](const Seen& item) {
    return item.kind == core::ItemKind::event;
  });
  for (auto item = first; item < first + 20'000; ++item) {
    ASSERT_EQ(item->kind, core::ItemKind::event) << item - first;
  }
  EXPECT_EQ(relay.source().reconnects(), 0u);
}

TEST_F(KeepaliveTest, WithoutCreditForLongerThanWalSenderTimeoutTheConnectionLives) {
  RecordProperty("fault_row", "11");
  RelayEnd relay(database_,
                 [](auto& options) { options.url += " options='-c wal_sender_timeout=6s'"; });
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  const std::string pid =
      sql_.value("select active_pid from pg_replication_slots where slot_name = '" +
                 relay.options().slot + "'");
  relay.credit = false;
  // More than sockets and buffers hold: the walsender is stuck in the middle of it.
  sql_.run(
      "insert into outbox.event (aggregate_type, event_type, payload)"
      " select 'order', 'e', to_jsonb(repeat(md5(i::text), 100)) from generate_series(1, 10000) i");
  relay.run_for(seconds(13));
  EXPECT_TRUE(relay.streaming()) << relay.reason();
  EXPECT_EQ(relay.event_count(), 0u);
  EXPECT_EQ(sql_.value("select active_pid from pg_replication_slots where slot_name = '" +
                       relay.options().slot + "'"),
            pid);
  relay.credit = true;
  EXPECT_TRUE(relay.run_until_events(10'000));
  EXPECT_EQ(relay.source().reconnects(), 0u);
}

TEST_F(KeepaliveTest, WithoutCreditTheLeaseLivesByTheHeartbeatAndEndsWithTheWalsender) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  relay.credit = false;
  relay.run_for(seconds(3));
  EXPECT_TRUE(relay.source().lease().holds_at(RelayEnd::now().instant + seconds(8)));
  sql_.run("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
           relay.options().slot + "'");
  EXPECT_TRUE(relay.run_until(
      [&] { return !relay.source().lease().holds_at(RelayEnd::now().instant); }, seconds(3)));
}

TEST_F(KeepaliveTest, AtShutdownTheLastConfirmedLsnReachesTheSlot) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("a"));
  ASSERT_TRUE(relay.run_until_events(1));
  const core::Position event = relay.events()[0].position;
  ASSERT_TRUE(relay.run_until([&] { return relay.source().confirmed().value > event.major; }));
  const core::Lsn confirmed = relay.source().confirmed();
  const core::Instant began = RelayEnd::now().instant;
  relay.close();
  EXPECT_LT(RelayEnd::now().instant - began, seconds(2));
  EXPECT_GE(confirmed_flush(relay), confirmed);
  EXPECT_FALSE(relay.source().lease().holds_at(RelayEnd::now().instant));
}

TEST_F(KeepaliveTest, AnIdleOutboxBesideABusyNeighbourMovesItsSlotByHeartbeats) {
  RecordProperty("fault_row", "19");
  Database neighbour;
  Sql busy(neighbour.url());
  busy.run("create table noise (text text)");
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  busy.run("insert into noise select repeat('x', 1000) from generate_series(1, 40000)");  // 40 MB
  busy.run("checkpoint");
  const auto end = core::parse_lsn(sql_.value("select pg_current_wal_flush_lsn()"));
  EXPECT_TRUE(relay.run_until([&] { return confirmed_flush(relay) >= *end; }));
  EXPECT_TRUE(relay.run_until([&] {
    return relay.store().facts().confirmed_flush >= *end &&
           relay.store().facts().kept_wal_bytes() < 32 * 1024 * 1024;
  })) << relay.store().facts().kept_wal_bytes();
}

TEST_F(KeepaliveTest, LagInEventsReturnsToZeroOnAnIdleOutboxAlsoAfterARollback) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  sql_.run("begin;" + publish("a") + "commit");
  sql_.run("begin;" + publish("ghost") + publish("ghost") + "rollback");  // numbers are gone
  ASSERT_TRUE(relay.run_until_events(1));
  const uint64_t settled = relay.events()[0].seq;
  EXPECT_TRUE(relay.run_until(
      [&] {
        const auto& facts = relay.store().facts();
        return facts.last_seq == settled + 2 &&
               postgres::lag_events(facts, settled, relay.source().confirmed()) == 0u;
      },
      seconds(5)));
}

TEST_F(KeepaliveTest, OurOwnSavesAndHeartbeatsDoNotKeepAnIdleSystemBusy) {
  RelayEnd relay(database_, [](auto& options) { options.heartbeat_interval = seconds(1); });
  ASSERT_TRUE(relay.connect());
  relay.run_for(seconds(2));
  // One keepalive follows each heartbeat's message; others come from neighbours on the server, such
  // as autovacuum. Those pass, while a relay that wakes itself never has a quiet moment.
  size_t fewest = SIZE_MAX;
  for (int window = 0; window < 5 && fewest > 9; ++window) {
    const size_t before = relay.boundaries().size();
    relay.run_for(seconds(3));
    fewest = std::min(fewest, relay.boundaries().size() - before);
  }
  EXPECT_LE(fewest, 9u);
  EXPECT_GE(fewest, 2u);
}

}  // namespace
}  // namespace outbox::conformance
