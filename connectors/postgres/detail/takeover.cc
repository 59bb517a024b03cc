#include "connectors/postgres/detail/takeover.h"

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

// One number for a pipeline, the same in every relay.
std::string lock_key(const std::string& pipeline) {
  return "hashtextextended(" + quote_literal("outbox poll " + pipeline) + ", 0)";
}

core::Result<void> raise_epoch(Connection& sql, const std::string& pipeline, ProgressFacts& saved,
                               const Waiter& waiter) {
  const auto rows = sql.run(
      "update outbox.progress set epoch = epoch + " + std::to_string(kEpochsPerTimeline) +
          " where pipeline = $1 and epoch = $2 returning epoch",
      {pipeline, std::to_string(saved.epoch)}, "raise the epoch in", "outbox.progress", waiter);
  if (!rows) return rows.error();
  if (rows->empty()) {
    return core::Error{core::Fault::retry,
                       "FENCED",
                       "take",
                       "pipeline " + pipeline,
                       "another relay took it",
                       "One relay a pipeline: this one tries again"};
  }
  saved.epoch = rows->number<uint64_t>("epoch");
  return {};
}

// Whose numbers `delivered_seq` is about: retention of another table does not wait for them. A
// schema of before V003 has no place for it.
core::Result<void> tell_table(Connection& sql, const Rows& progress, const PostgresOptions& options,
                              const Waiter& waiter) {
  const std::string table = options.table.text();
  if (!progress.has("source_table") || progress.value("source_table") == table) return {};
  const auto told = sql.run("update outbox.progress set source_table = $2 where pipeline = $1",
                            {options.pipeline, table}, "tell the table of",
                            "pipeline " + options.pipeline, waiter);
  if (!told) return told.error();
  return {};
}

}  // namespace

core::Result<ProgressFacts> take_epoch(Connection& sql, const SessionRequest& request,
                                       const ServerIdentity& identity, const std::string& slot,
                                       const Waiter& waiter) {
  const std::string& pipeline = request.options.pipeline;
  const auto rows =
      request.held
          ? sql.run("select * from outbox.progress where pipeline = $1", {pipeline}, "read",
                    "outbox.progress", waiter)
          : sql.run("select * from outbox.progress_take($1, $2, $3, $4)",
                    {pipeline, identity.system_id, std::to_string(identity.timeline), slot},
                    "take the next epoch in", "outbox.progress", waiter);
  if (!rows) return rows.error();
  ProgressFacts saved = progress_of(*rows);
  if (request.held && saved.epoch != request.held->epoch) {
    return core::Error{core::Fault::fatal,
                       "FENCED",
                       "go on with",
                       "pipeline " + pipeline,
                       "another relay took it over: its epoch is " + std::to_string(saved.epoch) +
                           ", ours " + std::to_string(request.held->epoch),
                       "Nothing is lost. Run one relay a pipeline, or start this one again to wait "
                       "behind the other"};
  }
  if (!request.held && saved.timeline != identity.timeline) {
    if (auto raised = raise_epoch(sql, pipeline, saved, waiter); !raised) return raised.error();
  }
  if (const auto told = tell_table(sql, *rows, request.options, waiter); !told) {
    return told.error();
  }
  return saved;
}

core::Result<void> prepare_for_lock(Connection& sql, int server_version, const Waiter& waiter) {
  const std::string of_17 =
      server_version >= 170000 ? ", set_config('transaction_timeout', '0', false)" : "";
  const auto set = sql.run(
      "select set_config('tcp_keepalives_idle', '5', false),"
      " set_config('tcp_keepalives_interval', '2', false),"
      " set_config('tcp_keepalives_count', '3', false),"
      " set_config('tcp_user_timeout', '12000', false),"
      " set_config('client_connection_check_interval', '2s', false),"
      " set_config('statement_timeout', '0', false),"
      " set_config('idle_in_transaction_session_timeout', '0', false),"
      " set_config('idle_session_timeout', '0', false)" +
          of_17,
      {}, "prepare", "the session", waiter);
  if (!set) return set.error();
  return {};
}

core::Result<void> take_lock(Connection& sql, const std::string& pipeline, const Waiter& waiter) {
  const auto rows = sql.run("select pg_try_advisory_lock(" + lock_key(pipeline) + ") as held", {},
                            "acquire", "the pipeline's lock", waiter);
  if (!rows) return rows.error();
  if (rows->truth("held")) return {};
  const auto holder =
      sql.run(lock_holder_query(pipeline), {}, "ask who holds", "the pipeline's lock", waiter);
  const bool known = holder && !holder->empty();
  return core::Error{core::Fault::retry,
                     "55006",
                     "acquire",
                     "the lock of pipeline " + pipeline,
                     "it is held by " + (known ? "pid " + holder->value("who") : "another relay"),
                     "One relay a pipeline: this one waits and asks again every second"};
}

std::string lock_holder_query(const std::string& pipeline) {
  return "select l.pid, l.pid::text || coalesce(' (' || nullif(a.application_name, '') || ')', '')"
         "       || coalesce(' on ' || host(a.client_addr), '') as who"
         " from pg_locks l left join pg_stat_activity a on a.pid = l.pid"
         " where l.locktype = 'advisory' and l.granted and l.objsubid = 1"
         "   and l.database = (select d.oid from pg_database d"
         "                     where d.datname = current_database())"
         "   and (l.classid::bigint << 32) | l.objid::bigint = " +
         lock_key(pipeline);
}

core::Error standby_for_now() {
  return {core::Fault::retry,
          "57P03",
          "connect to",
          "Postgres",
          "the server is a standby now; waiting for the primary",
          ""};
}

}  // namespace outbox::postgres
