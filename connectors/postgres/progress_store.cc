#include "connectors/postgres/progress_store.h"

#include <algorithm>
#include <array>

#include "connectors/postgres/detail/saved_marks.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/sqlstate.h"
#include "connectors/postgres/detail/takeover.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Health;
using core::HealthState;
using core::Interest;
using core::Progress;
using core::Result;

// The server gives a statement up after 10 s (Connection::open); past this it is not there at all.
constexpr core::Duration kAnswerMax = std::chrono::seconds(15);

constexpr core::Duration kLookInterval = std::chrono::seconds(3);

constexpr const char* kSaveName = "outbox_save";
constexpr const char* kHeartbeatName = "outbox_heartbeat";
constexpr const char* kSaveQuery =
    "select outbox.progress_save($1, $2, $3, $4, $5, $6, $7, $8, $9) as saved";

Result<void> prepare(Connection& sql, const char* name, const std::string& query,
                     const Waiter& waiter) {
  const auto done =
      sql.run("prepare " + std::string(name) + " as " + query, {}, "prepare", name, waiter);
  if (!done) return done.error();
  return {};
}

// The save is prepared with PREPARE, whose parameters are typed by use.
Result<ProgressSession> connect(const PostgresOptions& options, const Waiter& waiter) {
  auto sql = Connection::open(options.url, ConnectionKind::sql, application_name(options), waiter);
  if (!sql) return sql.error();
  if (const auto saved = prepare(*sql, kSaveName, kSaveQuery, waiter); !saved) return saved.error();
  std::string heartbeat;
  std::string look;
  switch (options.mode) {
    case Mode::wal: {
      auto plan = plan_heartbeat(*sql, options, waiter);
      if (!plan) return plan.error();
      heartbeat = std::move(plan->statement);
      if (!plan->table || !plan->sequence) break;
      auto prepared = prepare_look(*sql, *plan->table, *plan->sequence, waiter);
      if (!prepared) return prepared.error();
      look = std::move(prepared->usual);
      break;
    }
    case Mode::poll:
      heartbeat = lock_holder_query(options.pipeline);
      break;
    case Mode::status:
      OUTBOX_ASSERT(!"StatusStore keeps the progress of this mode");
  }
  const auto prepared = prepare(*sql, kHeartbeatName, heartbeat, waiter);
  if (!prepared) return prepared.error();
  const auto timeline = sql->run(kTimelineQuery, {}, "ask for", "the timeline", waiter);
  if (!timeline) return timeline.error();
  PQsetnonblocking(sql->handle(), 1);
  return ProgressSession{sql->release(), std::move(look), timeline->number<uint32_t>("timeline")};
}

}  // namespace

ProgressStore::ProgressStore(PostgresOptions options, std::shared_ptr<SharedSlot> shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      reconnect_delay_(options_.jitter_seed + 1) {}

ProgressStore::~ProgressStore() = default;

void ProgressStore::save(const Progress& progress, uint64_t epoch) {
  OUTBOX_ASSERT(idle());
  saving_ = Save{progress, epoch};
}

Result<std::optional<Progress>> ProgressStore::poll(core::Now now) {
  std::optional<Progress> saved;
  switch (state_) {
    case State::waiting:
      if (now.instant >= retry_at_) start_connecting();
      return saved;
    case State::connecting: {
      const Result<void> done = finish_connecting(now);
      if (!done) return done.error();
      break;
    }
    case State::connected: {
      Result<std::optional<Progress>> answer = read_answer(now);
      if (!answer) return answer.error();
      saved = *answer;
      break;
    }
  }
  if (state_ == State::connected && asked_ == Asked::nothing) ask(now);
  return saved;
}

void ProgressStore::start_connecting() {
  state_ = State::connecting;
  slot_was_held_ = shared_->lease.held();
  worker_.start([options = options_](const Waiter& waiter) { return connect(options, waiter); });
}

Result<void> ProgressStore::finish_connecting(core::Now now) {
  std::optional<Result<ProgressSession>> done = worker_.take();
  if (!done) return {};
  if (!*done) return failed(done->error(), now);
  connection_ = std::move((*done)->connection);
  look_ = std::move((*done)->look);
  timeline_ = (*done)->timeline;
  look_answers_.clear();
  proven_.begin();
  state_ = State::connected;
  reason_.clear();
  asked_ = Asked::nothing;
  flush_pending_ = false;
  connected_at_ = heartbeat_at_ = look_at_ = now.instant;
  if (ever_connected_) ++reconnects_;
  ever_connected_ = true;
  return {};
}

Result<void> ProgressStore::failed(const Error& error, core::Now now) {
  // Before the source has its slot, its own start names what is wrong, in the better words.
  const Trouble trouble = trouble_of(error.code);
  if (error.fault == core::Fault::fatal && shared_->lease.held()) return error;
  // Refused while our walsender lives: the server is not starting, it is shutting down.
  if (trouble == Trouble::server_stopping && slot_was_held_) shared_->server_is_stopping = true;
  state_ = State::waiting;
  reason_ = core::to_string(error);
  retry_at_ = now.instant + reconnect_delay_.after_failure(trouble);
  return {};
}

void ProgressStore::lose_connection(const std::string& why, core::Now now) {
  connection_.reset();
  asked_ = Asked::nothing;
  state_ = State::waiting;
  reason_ = "lost the connection that saves progress: " + why + "; connecting again";
  retry_at_ = now.instant + reconnect_delay_.after_loss(now.instant - connected_at_);
}

void ProgressStore::ask(core::Now now) {
  bool sent = true;
  if (saving_ && timeline_ != shared_->identity.timeline) {
    // After a failover the source looks first whether what was delivered happened there, too; it
    // would take our save for that.
    if (shared_->lease.held()) lose_connection("it leads to another timeline", now);
    return;
  }
  if (saving_) {
    sent = send_save();
    asked_ = Asked::save;
  } else if (heartbeat_wanted() && now.instant >= heartbeat_at_) {
    sent = send_heartbeat();
    asked_ = Asked::heartbeat;
    heartbeat_at_ = now.instant + options_.heartbeat_interval;
  } else if (heartbeat_wanted() && !look_.empty() && now.instant >= look_at_) {
    sent = PQsendQuery(connection_.get(), look_.c_str()) != 0;
    asked_ = Asked::look;
    look_at_ = now.instant + kLookInterval;
  } else {
    return;
  }
  asked_at_ = now.instant;
  const int flushed = sent ? PQflush(connection_.get()) : -1;
  flush_pending_ = flushed > 0;
  if (flushed < 0) lose_connection(first_line(PQerrorMessage(connection_.get())), now);
}

// Without the slot there is nothing to move and nothing to see.
bool ProgressStore::heartbeat_wanted() const {
  return options_.heartbeat_interval > core::Duration::zero() && shared_->lease.held();
}

bool ProgressStore::send_save() {
  SavedMarks marks = marks_of(saving_->progress, options_.mode);
  if (options_.mode == Mode::wal && !marks.delivered_seq) {
    const auto seq = proven_.prove(core::Lsn{saving_->progress.boundary.major});
    if (seq) marks.delivered_seq = std::to_string(*seq);
  }
  const std::string epoch = std::to_string(saving_->epoch);
  const std::string timeline = std::to_string(shared_->identity.timeline);
  const std::array<const char*, 9> values = {
      options_.pipeline.c_str(),
      epoch.c_str(),
      shared_->identity.system_id.c_str(),
      timeline.c_str(),
      options_.mode == Mode::wal ? options_.slot.c_str() : "",
      marks.end_lsn.c_str(),
      marks.commit_lsn.c_str(),
      marks.ordinal.c_str(),
      marks.delivered_seq ? marks.delivered_seq->c_str() : nullptr};
  return PQsendQueryPrepared(connection_.get(), kSaveName, static_cast<int>(values.size()),
                             values.data(), nullptr, nullptr, 0) != 0;
}

bool ProgressStore::send_heartbeat() {
  return PQsendQueryPrepared(connection_.get(), kHeartbeatName, 0, nullptr, nullptr, nullptr, 0) !=
         0;
}

Result<std::optional<Progress>> ProgressStore::read_answer(core::Now now) {
  std::optional<Progress> saved;
  if (flush_pending_) flush_pending_ = PQflush(connection_.get()) > 0;
  if (PQconsumeInput(connection_.get()) == 0) {
    lose_connection(first_line(PQerrorMessage(connection_.get())), now);
    return saved;
  }
  while (asked_ != Asked::nothing && PQisBusy(connection_.get()) == 0) {
    ResultHandle result(PQgetResult(connection_.get()));
    if (result == nullptr) {
      if (asked_ == Asked::look) on_look();
      asked_ = Asked::nothing;
      break;
    }
    Result<std::optional<Progress>> answer = on_answer(std::move(result), now);
    if (!answer) return answer.error();
    if (*answer) saved = *answer;
  }
  if (asked_ != Asked::nothing && now.instant - asked_at_ > kAnswerMax) {
    lose_connection("no answer within 15 s", now);
  }
  return saved;
}

Result<std::optional<Progress>> ProgressStore::on_answer(ResultHandle result, core::Now now) {
  std::optional<Progress> saved;
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    if (asked_ == Asked::look) {
      look_.clear();  // it is not needed for delivery: no reason to stop
      return saved;
    }
    const Error error =
        error_of(result.get(), asked_ == Asked::save ? "save" : "send a heartbeat for",
                 "pipeline " + options_.pipeline);
    if (error.fault == core::Fault::fatal) return error;
    lose_connection(core::to_string(error), now);
    return saved;
  }
  Rows rows(std::move(result));
  if (asked_ == Asked::look) {
    look_answers_.push_back(std::move(rows));
    return saved;
  }
  if (asked_ == Asked::save) return on_saved(rows);
  const Result<void> beaten = on_heartbeat(rows);
  if (!beaten) return beaten.error();
  return saved;
}

Result<std::optional<Progress>> ProgressStore::on_saved(const Rows& rows) {
  OUTBOX_ASSERT(saving_.has_value());
  if (!rows.truth("saved")) {
    return Error{
        core::Fault::fatal,
        "FENCED",
        "save the progress of",
        "pipeline " + options_.pipeline,
        "another relay took it over (our epoch is " + std::to_string(saving_->epoch) + ")",
        "Nothing is lost. Run one relay a pipeline, or start this one again to wait behind "
        "the other"};
  }
  ++saves_;
  const Progress progress = saving_->progress;
  saving_.reset();
  return std::optional(progress);
}

Result<void> ProgressStore::on_heartbeat(const Rows& rows) {
  if (options_.mode == Mode::poll) {
    shared_->lease.seen_from_outside(rows.number<int>("pid"), asked_at_);  // 0: nobody has the lock
    return {};
  }
  const Result<Heartbeat> heartbeat = read_heartbeat(rows);
  if (!heartbeat) return heartbeat.error();
  facts_ = heartbeat->facts;
  facts_.read_at = asked_at_;
  shared_->lease.seen_from_outside(heartbeat->slot_active_pid, asked_at_);
  auto alarm = judge_slot_wal(facts_.wal_status, facts_.safe_wal_bytes, options_);
  const bool low = alarm.has_value();
  if (low && !slot_wal_was_low_) shared_->add_notice(std::move(*alarm));
  slot_wal_was_low_ = low;
  return check_publication(heartbeat->publication);
}

void ProgressStore::on_look() {
  const Result<Look> look = read_look(look_answers_);
  if (look) proven_.looked(*look);
  look_answers_.clear();
}

Result<void> ProgressStore::check_publication(const PublicationMark& mark) {
  const std::string name = "publication " + options_.publication;
  const std::string again =
      "Make it right, compare source and topic with `outbox verify`, and start again";
  if (!mark.complete) {
    return Error{core::Fault::fatal,
                 "PUBLICATION_CHANGED",
                 "watch",
                 name,
                 "it no longer publishes the inserts into " + options_.table.text() +
                     "; rows committed from then on are not sent",
                 again};
  }
  if (publication_ && *publication_ != mark) {
    return Error{core::Fault::fatal,
                 "PUBLICATION_CHANGED",
                 "watch",
                 name,
                 "it was made anew while the relay was reading; rows committed in between were "
                 "not sent",
                 again};
  }
  publication_ = mark;
  return {};
}

Interest ProgressStore::interest(core::Instant now) const {
  Interest interest;
  switch (state_) {
    case State::waiting:
      interest.wake_at = retry_at_;
      break;
    case State::connecting:
      interest.fd = worker_.fd();
      break;
    case State::connected:
      interest.fd = PQsocket(connection_.get());
      interest.writable = flush_pending_;
      if (asked_ != Asked::nothing) {
        interest.wake_at = asked_at_ + kAnswerMax;
      } else if (saving_) {
        interest.wake_at = now;
      } else if (heartbeat_wanted()) {
        interest.wake_at = look_.empty() ? heartbeat_at_ : std::min(heartbeat_at_, look_at_);
      }
  }
  return interest;
}

Health ProgressStore::health() const {
  switch (state_) {
    case State::connected:
      return {HealthState::ok, ""};
    case State::waiting:
      return {HealthState::waiting, reason_};
    case State::connecting:
      break;
  }
  return {ever_connected_ || !reason_.empty() ? HealthState::waiting : HealthState::starting,
          reason_.empty() ? "connecting" : reason_};
}

}  // namespace outbox::postgres
