// Trouble with the connection: what is said, how soon it is tried again, and what is never said.

#include <signal.h>

#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class ConnectionTest : public SourceTest {};

TEST_F(ConnectionTest, NoSeamCallWaitsWhileTheServerDoesNotAnswer) {
  // 192.0.2.0/24 leads nowhere (RFC 5737).
  RelayEnd relay(database_,
                 [](auto& options) { options.url = "host=192.0.2.1 user=relay dbname=shop"; });
  const core::Credit room{1024, 1 << 20};
  core::Batch batch;
  core::Duration longest{};
  const core::Instant end = RelayEnd::now().instant + seconds(1);
  while (RelayEnd::now().instant < end) {
    const core::Instant before = RelayEnd::now().instant;
    ASSERT_TRUE(relay.source().poll(batch, std::span(&room, 1), RelayEnd::now()).ok());
    ASSERT_TRUE(relay.store().poll(RelayEnd::now()).ok());
    longest = std::max(longest, RelayEnd::now().instant - before);
  }
  EXPECT_LT(longest, milliseconds(100));
  EXPECT_NE(relay.state(), core::HealthState::ok);
}

TEST_F(ConnectionTest, DestroyingAnEndThatConnectsTakesNoTime) {
  const core::Instant before = RelayEnd::now().instant;
  {
    RelayEnd relay(database_,
                   [](auto& options) { options.url = "host=192.0.2.1 user=relay dbname=shop"; });
    relay.run_for(milliseconds(100));
  }
  EXPECT_LT(RelayEnd::now().instant - before, seconds(2));
}

TEST_F(ConnectionTest, AServerThatRefusesIsTriedAgainWithinASecond) {
  RelayEnd relay(database_, [](auto& options) {
    options.url = "postgresql://relay:topsecret@127.0.0.1:1/shop";
  });
  ASSERT_TRUE(relay.run_until([&] { return relay.state() == core::HealthState::waiting; }));
  EXPECT_NE(relay.reason().find("Connection refused"), std::string::npos) << relay.reason();
  EXPECT_EQ(relay.reason().find("topsecret"), std::string::npos) << relay.reason();
  EXPECT_FALSE(relay.error());
  const core::Instant now = RelayEnd::now().instant;
  EXPECT_LE(relay.source().interest(now).wake_at, now + seconds(1));
}

TEST_F(ConnectionTest, AWrongPasswordIsSaidWithoutShowingItAndTriedAgainSlowly) {
  RecordProperty("fault_row", "40");
  const std::string role = database_.unique("nobody");
  RelayEnd relay(database_,
                 [&](auto& options) { options.url = url_as(database_.name(), role, "topsecret"); });
  ASSERT_TRUE(relay.run_until([&] { return relay.state() == core::HealthState::waiting; }));
  EXPECT_NE(relay.reason().find("28"), std::string::npos) << relay.reason();
  EXPECT_NE(relay.reason().find(role), std::string::npos) << relay.reason();
  EXPECT_EQ(relay.reason().find("topsecret"), std::string::npos) << relay.reason();
  const core::Instant now = RelayEnd::now().instant;
  EXPECT_GE(relay.source().interest(now).wake_at, now + seconds(29));
}

TEST_F(ConnectionTest, ARoleWithoutReplicationIsToldAndTriedAgainSlowly) {
  const std::string role = database_.unique("poor");
  sql_.run("create role " + role + " login password 'p'; grant outbox_relay to " + role);
  {
    RelayEnd relay(database_,
                   [&](auto& options) { options.url = url_as(database_.name(), role, "p"); });
    ASSERT_TRUE(relay.run_until([&] { return relay.state() == core::HealthState::waiting; }));
    EXPECT_NE(relay.reason().find("replication"), std::string::npos) << relay.reason();
    EXPECT_FALSE(relay.error());
  }
  sql_.run("drop owned by " + role + "; drop role " + role);
}

TEST_F(ConnectionTest, ALostSqlConnectionHealsAndTheSlotGoesOnMoving) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  for (int round = 0; round < 3; ++round) {
    relay.run_for(milliseconds(300));
    sql_.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname ="
        " current_database() and application_name = 'outbox orders' and"
        " backend_type = 'client backend'");
    sql_.run(publish("e" + std::to_string(round)));
  }
  ASSERT_TRUE(relay.run_until_events(3));
  const core::Position last = relay.events()[2].position;
  EXPECT_TRUE(relay.run_until([&] { return relay.source().confirmed().value > last.major; }))
      << relay.error_text() << relay.store().health().reason;
  EXPECT_GE(relay.store().reconnects(), 1u);
  EXPECT_EQ(relay.source().reconnects(), 0u);
}

TEST_F(ConnectionTest, TheServersViewNamesThePipeline) {
  RelayEnd relay(database_);
  ASSERT_TRUE(relay.connect());
  EXPECT_EQ(sql_.value("select application_name from pg_stat_replication r join"
                       " pg_replication_slots s on s.active_pid = r.pid where s.slot_name = '" +
                       relay.options().slot + "'"),
            "outbox orders");
}

TEST_F(ConnectionTest, BusyReadersNapAndQuietOnesDoNot) {
  RelayEnd relay(database_);
  relay.settle_all();
  ASSERT_TRUE(relay.connect());
  sql_.run(publish("quiet"));
  ASSERT_TRUE(relay.run_until_events(1));
  core::Instant now = RelayEnd::now().instant;
  EXPECT_LE(relay.source().interest(now).not_before, now);
  relay.credit = false;
  sql_.run(
      "insert into outbox.event (aggregate_type, event_type, payload)"
      " select 'order', 'e', '1' from generate_series(1, 100000) i");
  relay.run_for(seconds(2));  // what fills the sockets meanwhile comes in one go
  relay.credit = true;
  bool napped = false;
  ASSERT_TRUE(relay.run_until([&] {
    now = RelayEnd::now().instant;
    napped = napped || relay.source().interest(now).not_before > now;
    return relay.source().counters().events == 100'001;
  }));
  EXPECT_TRUE(napped);
}

TEST_F(ConnectionTest, AWalsenderThatFallsSilentIsGivenUpAndTheStreamHeals) {
  RecordProperty("fault_row", "8");
  RelayEnd relay(database_, [](auto& options) { options.heartbeat_interval = seconds(0); });
  ASSERT_TRUE(relay.connect());
  const int pid =
      std::stoi(sql_.value("select active_pid from pg_replication_slots where slot_name = '" +
                           relay.options().slot + "'"));
  ASSERT_EQ(kill(pid, SIGSTOP), 0) << "the test stops a process of the server it is given";
  const core::Instant stopped = RelayEnd::now().instant;
  EXPECT_TRUE(relay.run_until([&] { return !relay.streaming(); }));
  EXPECT_GE(RelayEnd::now().instant - stopped, seconds(9));
  EXPECT_LT(RelayEnd::now().instant - stopped, seconds(13));
  EXPECT_FALSE(relay.source().lease().holds_at(RelayEnd::now().instant));
  ASSERT_EQ(kill(pid, SIGCONT), 0);
  sql_.run(publish("after"));
  EXPECT_TRUE(relay.run_until_events(1)) << relay.reason();
}

}  // namespace
}  // namespace outbox::conformance
