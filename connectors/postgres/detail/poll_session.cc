#include "connectors/postgres/detail/poll_session.h"

#include "connectors/postgres/detail/fork.h"
#include "connectors/postgres/detail/look.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/takeover.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

class Starting {
 public:
  Starting(const SessionRequest& request, Phase& phase, const Waiter& waiter)
      : request_(request), options_(request.options), phase_(phase), waiter_(waiter) {}

  Result<PollSession> run() {
    for (const auto step : {&Starting::open, &Starting::check_server, &Starting::await_wal_reader,
                            &Starting::lock, &Starting::identify, &Starting::take_epoch,
                            &Starting::read_progress, &Starting::drop_slot}) {
      const Result<void> done = (this->*step)();
      if (!done) return done.error();
    }
    Result<PollStatements> statements = prepare_poll(*sql_, *facts_.table, options_, waiter_);
    if (!statements) return statements.error();
    session_.statements = std::move(*statements);
    PQsetnonblocking(sql_->handle(), 1);
    session_.backend_pid = PQbackendPID(sql_->handle());
    session_.connection = sql_->release();
    return std::move(session_);
  }

 private:
  bool restarted() const { return request_.held.has_value(); }

  Result<void> open() {
    phase_.set("connecting");
    Result<Connection> opened = open_for_polling(options_, waiter_);
    if (!opened) return opened.error();
    sql_.emplace(std::move(*opened));
    return {};
  }

  Result<void> check_server() {
    phase_.set("checking the server");
    Result<ServerFacts> facts = read_server_facts(*sql_, options_, waiter_);
    if (!facts) return facts.error();
    facts_ = std::move(*facts);
    if (restarted() && facts_.in_recovery) return standby_for_now();
    std::vector<Finding> findings = judge_server(facts_, options_);
    if (const auto error = first_error(findings, "start pipeline " + options_.pipeline)) {
      return *error;
    }
    if (!restarted()) session_.notices = std::move(findings);
    return {};
  }

  // The slot of before, if the pipeline was read from the WAL until now.
  bool leaves_slot() const {
    return facts_.progress && facts_.slot && facts_.progress->slot == options_.slot;
  }

  Result<void> await_wal_reader() {
    if (!leaves_slot() || !facts_.slot->active_pid) return {};
    return Error{core::Fault::retry,
                 "55006",
                 "take over",
                 "pipeline " + options_.pipeline,
                 "slot " + options_.slot + " is still read by pid " +
                     std::to_string(*facts_.slot->active_pid),
                 "End the relay that runs this pipeline with mode = \"wal\""};
  }

  // What the slot would have brought is in the table, above the number that was proven and saved.
  Result<void> drop_slot() {
    if (!leaves_slot()) return {};
    const std::string drop =
        "select pg_drop_replication_slot(" + quote_literal(options_.slot) + ")";
    const auto dropped = sql_->run(drop, {}, "drop", "slot " + options_.slot, waiter_);
    if (dropped) {
      session_.notices.push_back({Severity::note, "SLOT_DROPPED",
                                  "dropped slot " + options_.slot +
                                      ": the table is polled from seq " +
                                      std::to_string(session_.delivered_seq) + " on",
                                  ""});
    } else {
      session_.notices.push_back(
          {Severity::warning, "SLOT_LEFT",
           "slot " + options_.slot +
               " is not needed any more and keeps WAL until the disk is full: " +
               dropped.error().detail,
           drop + ";"});
    }
    return {};
  }

  Result<void> lock() {
    phase_.set("acquiring the lock of pipeline " + options_.pipeline);
    return take_lock(*sql_, options_.pipeline, waiter_);
  }

  Result<void> identify() {
    const auto rows = sql_->run(
        "select s.system_identifier::text as system_id,"
        " ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int as timeline"
        " from pg_control_system() s",
        {}, "identify", "the server", waiter_);
    if (!rows) return rows.error();
    session_.identity = {rows->value("system_id"), rows->number<uint32_t>("timeline"), {}};
    return {};
  }

  Result<void> take_epoch() {
    Result<ProgressFacts> saved =
        postgres::take_epoch(*sql_, request_, session_.identity, "", waiter_);
    if (!saved) return saved.error();
    saved_ = std::move(*saved);
    session_.epoch = saved_.epoch;
    if (restarted()) {
      return follow_timeline_by_number(*request_.held, saved_, session_.identity, options_);
    }
    if (saved_.timeline != session_.identity.timeline) {
      session_.notices.push_back(changed_timeline(saved_, session_.identity));
    }
    return {};
  }

  Result<void> read_progress() {
    if (!saved_.delivered_seq && !restarted()) {
      session_.notices.push_back(
          {Severity::note, "BEGINS_AT_FIRST_ROW",
           "pipeline " + options_.pipeline + " begins at the first row of " + options_.table.text(),
           ""});
    }
    session_.delivered_seq = saved_.delivered_seq.value_or(0);
    return {};
  }

  const SessionRequest& request_;
  const PostgresOptions& options_;
  Phase& phase_;
  const Waiter& waiter_;
  std::optional<Connection> sql_;
  ServerFacts facts_;
  ProgressFacts saved_;
  PollSession session_;
};

}  // namespace

Result<PollStatements> prepare_poll(Connection& sql, const TableFacts& table,
                                    const PostgresOptions& options, const Waiter& waiter) {
  Result<LookQueries> look = prepare_look(sql, std::to_string(table.oid), table.sequence, waiter);
  if (!look) return look.error();
  return PollStatements{std::move(*look),
                        "select pg_logical_emit_message(true, 'outbox.flush', '')",
                        CopyStatement(table, options)};
}

Result<Connection> open_for_polling(const PostgresOptions& options, const Waiter& waiter) {
  Result<Connection> opened =
      Connection::open(options.url, ConnectionKind::sql, application_name(options), waiter);
  if (!opened) return opened.error();
  const auto set =
      opened->run("select set_config('default_transaction_isolation', 'read committed', false)", {},
                  "prepare", "the session", waiter);
  if (!set) return set.error();
  const auto prepared = prepare_for_lock(*opened, PQserverVersion(opened->handle()), waiter);
  if (!prepared) return prepared.error();
  return opened;
}

Result<PollSession> start_poll_session(const SessionRequest& request, Phase& phase,
                                       const Waiter& waiter) {
  Result<PollSession> session = Starting(request, phase, waiter).run();
  phase.set("");
  return session;
}

}  // namespace outbox::postgres
