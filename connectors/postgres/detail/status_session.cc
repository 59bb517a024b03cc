#include "connectors/postgres/detail/status_session.h"

#include <optional>
#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/takeover.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

class Starting {
 public:
  Starting(const SessionRequest& request, Phase& phase, const Waiter& waiter)
      : request_(request), options_(request.options), phase_(phase), waiter_(waiter) {}

  Result<StatusSession> run() {
    for (const auto step : {&Starting::open, &Starting::check_server, &Starting::be_member,
                            &Starting::check_division}) {
      const Result<void> done = (this->*step)();
      if (!done) return done.error();
    }
    PQsetnonblocking(sql_->handle(), 1);
    session_.backend_pid = PQbackendPID(sql_->handle());
    session_.connection = sql_->release();
    return std::move(session_);
  }

 private:
  Result<void> open() {
    phase_.set("connecting");
    Result<Connection> opened =
        Connection::open(options_.url, ConnectionKind::sql, application_name(options_), waiter_);
    if (!opened) return opened.error();
    sql_.emplace(std::move(*opened));
    if (auto ready = prepare_for_lock(*sql_, PQserverVersion(sql_->handle()), waiter_); !ready) {
      return ready;
    }
    // A relay that hangs is to lose its shards.
    const auto set = sql_->run(
        "select set_config('idle_session_timeout', '15s', false),"
        " set_config('idle_in_transaction_session_timeout', '15s', false),"
        " set_config('lock_timeout', '10s', false),"
        " set_config('default_transaction_isolation', 'read committed', false),"
        " (extract(epoch from clock_timestamp()) * 1000)::bigint as epoch",
        {}, "prepare", "the session", waiter_);
    if (!set) return set.error();
    session_.epoch = set->number<uint64_t>("epoch");
    return {};
  }

  Result<void> check_server() {
    phase_.set("checking the server");
    Result<ServerFacts> facts = read_server_facts(*sql_, options_, waiter_);
    if (!facts) return facts.error();
    if (request_.held && facts->in_recovery) return standby_for_now();
    std::vector<Finding> findings = judge_server(*facts, options_);
    if (const auto error = first_error(findings, "start pipeline " + options_.pipeline)) {
      return *error;
    }
    if (!request_.held) session_.notices = std::move(findings);
    session_.queries = StatusQueries(*facts->table, *facts->marking, options_);
    return {};
  }

  Result<void> be_member() {
    const auto done = sql_->run(session_.queries.be_member(), {}, "join",
                                "the relays of pipeline " + options_.pipeline, waiter_);
    if (!done) return done.error();
    return {};
  }

  // Both look after they have locked, so that at least one of two that start together sees it.
  Result<void> check_division() {
    const auto rows = sql_->run(session_.queries.locks(), {}, "look at",
                                "the relays of pipeline " + options_.pipeline, waiter_);
    if (!rows) return rows.error();
    const uint32_t other = other_division(read_locks(*rows), options_.shards);
    if (other == 0) return {};
    return Error{core::Fault::retry,
                 "55006",
                 "join",
                 "the relays of pipeline " + options_.pipeline,
                 "another relay divides the keys into " + std::to_string(other) +
                     " shards, this one into " + std::to_string(options_.shards),
                 "Give all relays of a pipeline the same `shards`; this one waits"};
  }

  const SessionRequest& request_;
  const PostgresOptions& options_;
  Phase& phase_;
  const Waiter& waiter_;
  std::optional<Connection> sql_;
  StatusSession session_;
};

}  // namespace

Result<StatusSession> start_status_session(const SessionRequest& request, Phase& phase,
                                           const Waiter& waiter) {
  Result<StatusSession> session = Starting(request, phase, waiter).run();
  phase.set("");
  return session;
}

}  // namespace outbox::postgres
