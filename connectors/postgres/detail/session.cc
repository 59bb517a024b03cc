#include "connectors/postgres/detail/session.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/fork.h"
#include "connectors/postgres/detail/gap.h"
#include "connectors/postgres/detail/poll_session.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/slot_wait.h"
#include "connectors/postgres/detail/stream_start.h"
#include "connectors/postgres/detail/takeover.h"
#include "connectors/postgres/detail/timelines.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

constexpr int kOlderRowsCounted = 1'000'000;

core::Position settled_position(const ProgressFacts& saved) {
  return {saved.commit.value, saved.ordinal};
}

// Every transaction whose commit record lies below it is settled.
core::Lsn settled_up_to(const ProgressFacts& saved) { return std::max(saved.end, saved.commit); }

// One start on its way; its functions are called in the order they are written in.
class Starting {
 public:
  Starting(const SessionRequest& request, Phase& phase, const Waiter& waiter)
      : request_(request), options_(request.options), phase_(phase), waiter_(waiter) {}

  Result<Session> run() {
    Result<void> done =
        go({&Starting::open_sql, &Starting::check_server, &Starting::make_publication,
            &Starting::open_replication, &Starting::identify});
    if (done) done = gap_ ? go({&Starting::close_gap}) : go({&Starting::begin_stream});
    if (!done) return done.error();
    return std::move(session_);
  }

 private:
  using Step = Result<void> (Starting::*)();

  Result<void> go(std::initializer_list<Step> steps) {
    for (const Step step : steps) {
      if (Result<void> done = (this->*step)(); !done) return done;
    }
    return {};
  }

  Result<void> begin_stream() {
    Result<void> done =
        go({&Starting::make_first_slot, &Starting::acquire_slot, &Starting::take_epoch,
            &Starting::check_progress, &Starting::save_start, &Starting::open_emit});
    if (!done) return done;
    PQsetnonblocking(replication_->handle(), 1);
    session_.walsender_pid = PQbackendPID(replication_->handle());
    session_.replication = replication_->release();
    return {};
  }

  Result<void> close_gap() {
    phase_.set("acquiring the lock of pipeline " + options_.pipeline);
    if (auto ready = prepare_for_lock(*sql_, facts_.version, waiter_); !ready) return ready;
    if (auto locked = take_lock(*sql_, options_.pipeline, waiter_); !locked) return locked;
    if (auto still = judge_gap_again(); !still) return still;
    if (auto taken = take_epoch(); !taken) return taken;
    if (auto shut = read_emitted(false); !shut) return shut;
    session_.saved = {core::StreamId{0}, {saved_.end.value, 0}, settled_position(saved_)};
    session_.notices.push_back(std::move(*gap_));
    Result<Refill> refill =
        begin_refill(*sql_, *replication_, facts_, *saved_.delivered_seq, options_, phase_, waiter_,
                     [this](core::Instant asked_at) { return offer_polling(asked_at); });
    if (!refill) return refill.error();
    session_.refill = std::move(*refill);
    return {};
  }

  // Called about once a second while the slot is waited for. Polling has a connection of its own:
  // this session's holds the lock and asks for whom it is waited.
  std::string offer_polling(core::Instant asked_at) {
    SlotWait& wait = *request_.slot_wait;
    wait.lock_seen(asked_at);
    if (!wait.wanted()) return "";
    Result<Connection> connection = open_for_polling(options_, waiter_);
    if (!connection) return "not polled meanwhile: " + core::to_string(connection.error());
    Result<PollStatements> statements = prepare_poll(*connection, *facts_.table, options_, waiter_);
    if (!statements) return "not polled meanwhile: " + core::to_string(statements.error());
    PQsetnonblocking(connection->handle(), 1);
    wait.offer({connection->release(), std::move(*statements), session_.identity, session_.epoch,
                PQbackendPID(sql_->handle()), session_.saved, *saved_.delivered_seq,
                std::exchange(session_.notices, {})});
    return "";
  }

  // Another relay may have closed it while this one waited for the lock.
  Result<void> judge_gap_again() {
    Result<ServerFacts> facts = read_server_facts(*sql_, options_, waiter_);
    if (!facts) return facts.error();
    facts->read_beyond_fork = facts_.read_beyond_fork;
    facts_ = std::move(*facts);
    gap_ = judge_gap(facts_, options_);
    if (gap_ && gap_->severity != Severity::error) return {};
    if (gap_) return to_error(*gap_, "start pipeline " + options_.pipeline);
    return Error{core::Fault::retry,          "55006", "make", "slot " + options_.slot,
                 "another relay has made it", ""};
  }

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
    if (facts_.slot && facts_.slot->plugin == "pgoutput" && !facts_.slot->confirmed_flush.valid()) {
      return Error{
          core::Fault::retry,
          "55006",
          "acquire",
          "slot " + options_.slot,
          "it is still being made, by pid " + std::to_string(facts_.slot->active_pid.value_or(0)),
          "One relay a slot: this one waits and asks again every second"};
    }
    gap_ = judge_gap(facts_, options_);
    for (auto& more :
         {judge_publication(facts_, options_, ever_saved()), judge_slot(facts_, options_)}) {
      findings.insert(findings.end(), more.begin(), more.end());
    }
    if (gap_ && gap_->severity == Severity::error) findings.push_back(*gap_);
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
    const bool ours = facts_.has_outbox_schema && options_.table.text() == "outbox.event" &&
                      options_.captures.empty();
    const std::string subject = "publication " + options_.publication;
    const auto made =
        ours ? sql_->run("select outbox.create_publication($1)", {options_.publication}, "make",
                         subject, waiter_)
             : sql_->run(create_publication_sql(options_), {}, "make", subject, waiter_);
    if (!made) return made.error();
    note("PUBLICATION_MADE",
         "made publication " + options_.publication + " for table " + published_tables(options_));
    return {};
  }

  Result<void> make_first_slot() {
    if (facts_.slot || ever_saved()) return {};
    const Result<MadeSlot> slot = make_slot(*sql_, *replication_, options_, phase_, waiter_,
                                            [](core::Instant) { return std::string(); });
    if (!slot) return slot.error();
    note("SLOT_MADE", "made slot " + options_.slot + ": the pipeline begins at " +
                          core::to_string(slot->begins) + ", " + older_rows(*slot));
    return {};
  }

  // Rows of before the slot never come through it: say how many there are.
  std::string older_rows(const MadeSlot& slot) {
    if (!facts_.table->may_select) return "older rows could not be counted";
    const std::string table =
        quote_identifier(options_.table.schema) + "." + quote_identifier(options_.table.name);
    const auto entered = enter_snapshot(*sql_, slot, waiter_);
    const auto rows = sql_->run("select count(*) as n from (select from " + table + " limit " +
                                    std::to_string(kOlderRowsCounted + 1) + ") r",
                                {}, "count", "older rows", waiter_);
    const auto ended = sql_->run("rollback", {}, "end", "", waiter_);
    if (!entered || !rows || !ended) return "older rows could not be counted";
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
    if (auto read = read_written_on(); !read) return read;
    if (restarted()) {
      if (auto followed = follow(*request_.held); !followed) return followed;
    }
    if (!facts_.progress) return {};
    const auto fork =
        read_fork(*replication_, facts_.progress->timeline, session_.identity, waiter_);
    if (!fork) return fork.error();
    if (const auto finding = judge_identity(*facts_.progress, session_.identity, *fork, options_)) {
      return to_error(*finding, "start pipeline " + options_.pipeline);
    }
    if (!restarted() && *fork) {
      session_.notices.push_back(changed_timeline(*facts_.progress, session_.identity));
    }
    return {};
  }

  Result<void> read_written_on() {
    if (options_.captures.empty()) return {};
    Result<Timelines> timelines = read_timelines(*replication_, session_.identity, waiter_);
    if (!timelines) return timelines.error();
    session_.timelines = std::move(*timelines);
    return {};
  }

  Result<void> follow(const SessionRequest::Held& held) {
    const auto beyond =
        follow_timeline(*sql_, *replication_, held, session_.identity, options_, waiter_);
    if (!beyond) return beyond.error();
    if (!*beyond) return {};
    facts_.read_beyond_fork = **beyond;
    gap_ = judge_gap(facts_, options_);
    if (gap_ && gap_->severity == Severity::error) {
      return to_error(*gap_, "go on with pipeline " + options_.pipeline);
    }
    return pass_by_wal(*sql_, **beyond, waiter_);
  }

  Result<void> acquire_slot() {
    phase_.set("acquiring slot " + options_.slot);
    if (facts_.progress) asked_from_ = settled_up_to(*facts_.progress);
    const auto started =
        start_streaming(*replication_, options_, asked_from_,
                        reads_emitted() ? Messages::read : Messages::unread, waiter_);
    if (!started) return held_by(*sql_, options_.slot, started.error(), waiter_);
    return {};
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
    // Between the first look and now: the next attempt judges anew.
    facts_.slot = *slot;
    facts_.progress = saved_;
    if (const auto moved = judge_gap(facts_, options_)) {
      Error error = to_error(*moved, "start pipeline " + options_.pipeline);
      error.fault = core::Fault::retry;
      return error;
    }
    if (settled_up_to(saved_) < asked_from_) {
      return Error{core::Fault::retry,
                   "PROGRESS_MOVED_BACK",
                   "start pipeline",
                   options_.pipeline,
                   "somebody set outbox.progress back in this moment",
                   "The next attempt obeys it"};
    }
    start_ = *slot ? (*slot)->confirmed_flush : core::Lsn{};
    return {};
  }

  // A first start saves where it begins, so that from now on a lost slot is noticed; the first one
  // after a failover, that what was saved holds for the new timeline.
  Result<void> save_start() {
    const bool first = !saved_.end.valid();
    if (first || saved_.timeline != session_.identity.timeline) {
      if (first) saved_.end = start_;
      const auto rows = sql_->run(
          "select outbox.progress_save($1, $2, $3, $4, $5, $6, $7, $8) as saved",
          {options_.pipeline, std::to_string(saved_.epoch), session_.identity.system_id,
           std::to_string(session_.identity.timeline), options_.slot, core::to_string(saved_.end),
           core::to_string(saved_.commit), std::to_string(saved_.ordinal)},
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

  bool reads_emitted() const { return facts_.emit != Emit::missing; }

  Result<void> open_emit() { return read_emitted(reads_emitted()); }

  // outbox.emit() refuses until somebody says that its messages are read, and while a slot is made.
  Result<void> read_emitted(bool read) {
    if (!facts_.has_reads_emitted) return {};
    const auto done = sql_->run(
        "update outbox.progress set reads_emitted = $3::boolean where pipeline = $1"
        " and epoch = $2 and reads_emitted <> $3::boolean",
        {options_.pipeline, std::to_string(session_.epoch), read ? "t" : "f"}, "tell who reads",
        "outbox.emit", waiter_);
    if (!done) return done.error();
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
  std::optional<Finding> gap_;  // that is to be closed
  ProgressFacts saved_;
  core::Lsn asked_from_;  // the stream brings transactions from here on
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
