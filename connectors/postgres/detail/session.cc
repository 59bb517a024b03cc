#include "connectors/postgres/detail/session.h"

#include <algorithm>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/takeover.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

constexpr int kOlderRowsCounted = 1'000'000;

core::Position settled_position(const ProgressFacts& saved) {
  return {saved.commit.value, saved.ordinal};
}

// One start on its way; its functions are called in the order they are written in.
class Starting {
 public:
  Starting(const SessionRequest& request, Phase& phase, const Waiter& waiter)
      : request_(request), options_(request.options), phase_(phase), waiter_(waiter) {}

  Result<Session> run() {
    for (const auto step :
         {&Starting::open_sql, &Starting::check_server, &Starting::make_publication,
          &Starting::open_replication, &Starting::identify, &Starting::make_slot,
          &Starting::acquire_slot, &Starting::take_epoch, &Starting::check_progress,
          &Starting::save_start}) {
      const Result<void> done = (this->*step)();
      if (!done) return done.error();
    }
    PQsetnonblocking(replication_->handle(), 1);
    session_.walsender_pid = PQbackendPID(replication_->handle());
    session_.replication = replication_->release();
    return std::move(session_);
  }

 private:
  bool restarted() const { return request_.held.has_value(); }
  bool ever_saved() const { return facts_.progress && facts_.progress->end.valid(); }

  Result<void> open_sql() {
    phase_.set("connecting");
    return open(ConnectionKind::sql, sql_);
  }

  Result<void> open_replication() { return open(ConnectionKind::replication, replication_); }

  Result<void> open(ConnectionKind kind, std::optional<Connection>& connection) {
    Result<Connection> opened =
        Connection::open(options_.url, kind, application_name(options_), waiter_);
    if (!opened) return opened.error();
    connection.emplace(std::move(*opened));
    return {};
  }

  Result<void> check_server() {
    phase_.set("checking the server");
    Result<ServerFacts> facts = read_server_facts(*sql_, options_, waiter_);
    if (!facts) return facts.error();
    facts_ = std::move(*facts);
    std::vector<Finding> findings = judge_server(facts_, options_);
    // Once the pipeline has begun, a missing publication is a loss to look into, not to paper over.
    for (auto& more :
         {judge_publication(facts_, options_, ever_saved()), judge_slot(facts_, options_)}) {
      findings.insert(findings.end(), more.begin(), more.end());
    }
    if (restarted() && facts_.in_recovery) return standby_for_now();
    if (const auto error = first_error(findings, "start pipeline " + options_.pipeline)) {
      return *error;
    }
    if (!restarted()) session_.notices = std::move(findings);
    return check_suspect();
  }

  Result<void> check_suspect() {
    if (request_.suspect == 0) return {};
    const auto rows = sql_->run(
        "select exists (select from pg_catalog.pg_partition_ancestors($1::oid::regclass) a"
        " where a.relid = $2::oid and a.relid <> $1::oid) as partition",
        {std::to_string(request_.suspect), std::to_string(facts_.table->oid)}, "look up relation",
        std::to_string(request_.suspect), waiter_);
    if (!rows) return rows.error();
    if (!rows->truth("partition")) return {};
    return to_error(
        {Severity::error, "PUBLICATION_PARTITIONS",
         "publication " + options_.publication + " published rows of " + options_.table.text() +
             " under a partition's name",
         "alter publication " + quote_identifier(options_.publication) +
             " set (publish_via_partition_root = true); -- rows committed before that are sent "
             "under the partition's name for ever: compare with `outbox verify`"},
        "read the WAL stream");
  }

  Result<void> make_publication() {
    if (facts_.publication) return {};
    phase_.set("making publication " + options_.publication);
    const bool ours = facts_.has_outbox_schema && options_.table.text() == "outbox.event";
    const std::string subject = "publication " + options_.publication;
    const auto made =
        ours ? sql_->run("select outbox.create_publication($1)", {options_.publication}, "make",
                         subject, waiter_)
             : sql_->run(create_publication_sql(options_), {}, "make", subject, waiter_);
    if (!made) return made.error();
    note("PUBLICATION_MADE",
         "made publication " + options_.publication + " for table " + options_.table.text());
    return {};
  }

  Result<void> make_slot() {
    if (facts_.slot || ever_saved()) return {};
    phase_.set("making slot " + options_.slot);
    const auto made = replication_->run_ticking(
        "CREATE_REPLICATION_SLOT " + quote_identifier(options_.slot) + " LOGICAL pgoutput", "make",
        "slot " + options_.slot, waiter_, std::chrono::seconds(1),
        [this] { tell_who_is_waited_for(); });
    if (!made) return made.error();
    const std::string at = made->value("consistent_point");
    note("SLOT_MADE", "made slot " + options_.slot + ": the pipeline begins at " + at + ", " +
                          older_rows(made->value("snapshot_name")));
    return {};
  }

  // A new slot waits until every transaction that was writing when it began has ended.
  void tell_who_is_waited_for() {
    const auto rows = sql_->run(
        "(select 'pid ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') ||"
        "        coalesce(', open since ' || date_trunc('second', xact_start), '') as who"
        " from pg_stat_activity where backend_xid is not null order by xact_start limit 1)"
        " union all (select 'prepared transaction ' || quote_literal(gid) || ' since ' ||"
        "        date_trunc('second', prepared) from pg_prepared_xacts order by prepared limit 1)",
        {}, "ask who", "writes", waiter_);
    const bool known = rows && !rows->empty();
    phase_.set("making slot " + options_.slot +
               ": Postgres waits for the end of every open write transaction" +
               (known ? "; the oldest: " + rows->value("who") : ""));
  }

  // Rows of before the slot never come through it: say how many there are.
  std::string older_rows(const std::string& snapshot) {
    if (!facts_.table->may_select) return "older rows could not be counted";
    const std::string table =
        quote_identifier(options_.table.schema) + "." + quote_identifier(options_.table.name);
    const auto begun =
        sql_->run("begin isolation level repeatable read, read only", {}, "begin", "", waiter_);
    const auto taken = sql_->run("set transaction snapshot " + quote_literal(snapshot), {}, "take",
                                 "the slot's snapshot", waiter_);
    const auto rows = sql_->run("select count(*) as n from (select from " + table + " limit " +
                                    std::to_string(kOlderRowsCounted + 1) + ") r",
                                {}, "count", "older rows", waiter_);
    const auto ended = sql_->run("rollback", {}, "end", "", waiter_);
    if (!begun || !taken || !rows || !ended) return "older rows could not be counted";
    const std::string count = rows->value("n");
    if (count == std::to_string(kOlderRowsCounted + 1)) {
      return "more than " + std::to_string(kOlderRowsCounted) +
             " rows are older and will not be delivered";
    }
    return count + " rows are older and will not be delivered";
  }

  Result<void> identify() {
    Result<ServerIdentity> identity = read_identity(*replication_, waiter_);
    if (!identity) return identity.error();
    session_.identity = std::move(*identity);
    return {};
  }

  Result<void> acquire_slot() {
    phase_.set("acquiring slot " + options_.slot);
    if (ever_saved() && !facts_.slot) return slot_is_missing();
    const std::string publications = quote_identifier(options_.publication);
    const auto started =
        replication_->run("START_REPLICATION SLOT " + quote_identifier(options_.slot) +
                              " LOGICAL 0/0 (proto_version '1', publication_names " +
                              quote_literal(publications) + ", binary 'true')",
                          {}, "start replication from", "slot " + options_.slot, waiter_);
    if (!started) return explain(started.error());
    return {};
  }

  Error slot_is_missing() const {
    const auto finding =
        judge_progress(*facts_.progress, session_.identity, std::nullopt, options_);
    OUTBOX_ASSERT(finding.has_value());
    return to_error(*finding, "start pipeline " + options_.pipeline);
  }

  Error explain(Error error) {
    if (error.code != "55006") return error;
    const auto rows = sql_->run(
        "select s.active_pid::text || coalesce(' (' || nullif(a.application_name, '') || ')', '')"
        "       || coalesce(' on ' || host(a.client_addr), '') as who"
        " from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid"
        " where s.slot_name = $1 and s.active_pid is not null",
        {options_.slot}, "ask who holds", "slot " + options_.slot, waiter_);
    if (rows && !rows->empty()) error.detail = "it is held by pid " + rows->value("who");
    error.hint = "One relay a slot: this one waits and asks again every second";
    return error;
  }

  Result<void> take_epoch() {
    Result<ProgressFacts> saved =
        postgres::take_epoch(*sql_, request_, session_.identity, options_.slot, waiter_);
    if (!saved) return saved.error();
    saved_ = std::move(*saved);
    session_.epoch = saved_.epoch;
    return {};
  }

  Result<void> check_progress() {
    Result<std::optional<SlotFacts>> slot = read_slot(*sql_, options_.slot, waiter_);
    if (!slot) return slot.error();
    if (const auto finding = judge_progress(saved_, session_.identity, *slot, options_)) {
      return to_error(*finding, "start pipeline " + options_.pipeline);
    }
    start_ = *slot ? (*slot)->confirmed_flush : core::Lsn{};
    return {};
  }

  // A first start saves where it begins, so that from now on a lost slot is noticed.
  Result<void> save_start() {
    if (!saved_.end.valid()) {
      saved_.end = start_;
      const auto rows = sql_->run(
          "select outbox.progress_save($1, $2, $3, $4, $5, $6, '0/0', 0) as saved",
          {options_.pipeline, std::to_string(saved_.epoch), session_.identity.system_id,
           std::to_string(session_.identity.timeline), options_.slot, core::to_string(start_)},
          "save the start in", "outbox.progress", waiter_);
      if (!rows) return rows.error();
      if (!rows->truth("saved")) {
        return Error{core::Fault::retry,
                     "FENCED",
                     "save the start of",
                     "pipeline " + options_.pipeline,
                     "another relay took it in this moment",
                     ""};
      }
    }
    session_.saved = {core::StreamId{0}, {saved_.end.value, 0}, settled_position(saved_)};
    return {};
  }

  void note(std::string code, std::string what) {
    session_.notices.push_back({Severity::note, std::move(code), std::move(what), ""});
  }

  const SessionRequest& request_;
  const PostgresOptions& options_;
  Phase& phase_;
  const Waiter& waiter_;
  std::optional<Connection> sql_;
  std::optional<Connection> replication_;
  ServerFacts facts_;
  ProgressFacts saved_;
  core::Lsn start_;
  Session session_;
};

}  // namespace

void Phase::set(std::string text) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

std::string Phase::get() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

std::string application_name(const PostgresOptions& options) {
  return "outbox " + options.pipeline;
}

Result<Session> start_session(const SessionRequest& request, Phase& phase, const Waiter& waiter) {
  Result<Session> session = Starting(request, phase, waiter).run();
  phase.set("");
  return session;
}

}  // namespace outbox::postgres
