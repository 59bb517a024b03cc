#include "connectors/postgres/detail/refill.h"

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/session.h"

namespace outbox::postgres {
namespace {

using core::Result;

std::string who_is_waited_for(Connection& sql, const PostgresOptions& options,
                              const Waiter& waiter) {
  const auto rows = sql.run(
      "(select 'pid ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') ||"
      "        coalesce(', open since ' || date_trunc('second', xact_start), '') as who"
      " from pg_stat_activity where backend_xid is not null order by xact_start limit 1)"
      " union all (select 'prepared transaction ' || quote_literal(gid) || ' since ' ||"
      "        date_trunc('second', prepared) from pg_prepared_xacts order by prepared limit 1)",
      {}, "ask who", "writes", waiter);
  const bool known = rows && !rows->empty();
  return "making slot " + options.slot +
         ": Postgres waits for the end of every open write transaction" +
         (known ? "; the oldest: " + rows->value("who") : "");
}

// A walsender that waits looks after its client only while this timer runs, and only a statement of
// SQL starts it.
Result<void> watch_client(Connection& replication, const Waiter& waiter) {
  for (const char* statement : {"set client_connection_check_interval = '2s'", "select 1"}) {
    const auto done = replication.run(statement, {}, "prepare", "the session", waiter);
    if (!done) return done.error();
  }
  return {};
}

}  // namespace

Result<MadeSlot> make_slot(Connection& sql, Connection& replication, const PostgresOptions& options,
                           Phase& phase, const Waiter& waiter, const Meanwhile& meanwhile) {
  phase.set("making slot " + options.slot);
  if (const auto watched = watch_client(replication, waiter); !watched) return watched.error();
  const auto made = replication.run_ticking(
      "CREATE_REPLICATION_SLOT " + quote_identifier(options.slot) + " LOGICAL pgoutput", "make",
      "slot " + options.slot, waiter, std::chrono::seconds(1), [&] {
        const core::Instant asked_at = std::chrono::steady_clock::now();
        const std::string text = who_is_waited_for(sql, options, waiter);
        if (PQstatus(sql.handle()) == CONNECTION_BAD) return false;
        phase.set(text);
        const std::string more = meanwhile(asked_at);
        if (!more.empty()) phase.set(text + "; " + more);
        return true;
      });
  if (!made) return made.error();
  return MadeSlot{made->lsn("consistent_point"), made->value("snapshot_name")};
}

Result<void> enter_snapshot(Connection& sql, const MadeSlot& slot, const Waiter& waiter) {
  const auto begun =
      sql.run("begin isolation level repeatable read, read only", {}, "begin", "", waiter);
  if (!begun) return begun.error();
  const auto taken = sql.run("set transaction snapshot " + quote_literal(slot.snapshot), {}, "take",
                             "the slot's snapshot", waiter);
  if (!taken) return taken.error();
  return {};
}

Result<void> pass_by_wal(Connection& sql, core::Lsn lsn, const Waiter& waiter) {
  constexpr int kMessagesMax = 1024;  // of 1 MB
  for (int message = 0; message < kMessagesMax; ++message) {
    const auto rows = sql.run(
        "select pg_current_wal_insert_lsn() > $1::pg_lsn as passed,"
        " case when pg_current_wal_insert_lsn() <= $1::pg_lsn"
        "      then pg_logical_emit_message(true, 'outbox.filler', repeat(' ', 1000000)) end",
        {core::to_string(lsn)}, "write WAL up to", core::to_string(lsn), waiter);
    if (!rows) return rows.error();
    if (rows->truth("passed")) return {};
  }
  return core::Error{
      core::Fault::fatal,
      "TIMELINE_FAR_BACK",
      "go on after a failover",
      "",
      "the new timeline begins more than 1 GB of WAL before what was read of the old "
      "one",
      "Start the relay again: it then begins at what was saved"};
}

Result<Refill> begin_refill(Connection& sql, Connection& replication, const ServerFacts& facts,
                            uint64_t after_seq, const PostgresOptions& options, Phase& phase,
                            const Waiter& waiter, const Meanwhile& meanwhile) {
  if (facts.slot) {
    const auto dropped =
        sql.run("select pg_drop_replication_slot(" + quote_literal(options.slot) + ")", {}, "drop",
                "slot " + options.slot, waiter);
    if (!dropped) return dropped.error();
  }
  const Result<MadeSlot> slot = make_slot(sql, replication, options, phase, waiter, meanwhile);
  if (!slot) return slot.error();
  phase.set("reading rows again");
  if (const auto entered = enter_snapshot(sql, *slot, waiter); !entered) return entered.error();
  Refill refill{nullptr, PQbackendPID(sql.handle()), slot->begins, after_seq,
                CopyStatement(*facts.table, options)};
  PQsetnonblocking(sql.handle(), 1);
  refill.connection = sql.release();
  return refill;
}

}  // namespace outbox::postgres
