#include "connectors/postgres/poll_source.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/copy_pump.h"
#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/sqlstate.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Health;
using core::HealthState;
using core::Interest;
using core::Result;
using std::chrono::seconds;

constexpr core::Duration kAnswerMax = seconds(15);
constexpr core::Duration kLookWithoutCredit = seconds(1);
constexpr core::Duration kStalledCopyMax = seconds(5);
constexpr core::Duration kTick = seconds(1);
constexpr uint64_t kRowsOfACopy = 10'000;

}  // namespace

PollSource::PollSource(PostgresOptions options, core::ChunkPool& pool,
                       std::shared_ptr<SharedSlot> shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      reader_(pool),
      pace_(options_.poll_interval_most),
      attempts_(options_, start_poll_session) {}

PollSource::~PollSource() = default;

Result<void> PollSource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                              core::Now now) {
  OUTBOX_ASSERT(credit.size() == 1);
  has_credit_ = credit[0].events > 0 && credit[0].bytes > 0;
  more_at_hand_ = false;
  switch (state_) {
    case State::connecting:
      return connect(now);
    case State::resting:
      if (std::exchange(unannounced_, false)) add_boundary(batch);
      return rest(now);
    case State::looking:
    case State::flushing:
    case State::ending:
      return await_answer(batch, now);
    case State::copying:
      return copy(batch, credit[0], now);
    case State::closed:
      return {};
  }
  return {};
}

// ---- connecting

Result<void> PollSource::connect(core::Now now) {
  Result<std::optional<PollSession>> session = attempts_.poll(now);
  if (session && !*session) return {};
  Result<void> begun = session ? begin_polling(std::move(**session), now) : session.error();
  if (!begun) state_ = State::closed;
  return begun;
}

Result<void> PollSource::begin_polling(PollSession session, core::Now now) {
  const Result<void> described = session.rows.describe_to(reader_, options_);
  if (!described) return attempts_.failed(described.error(), now);
  cursor_ = std::max(cursor_, session.delivered_seq);
  horizon_.begin(cursor_);
  for (Finding& notice : session.notices) shared_->add_notice(std::move(notice));
  shared_->identity = session.identity;
  shared_->lease.acquired(session.backend_pid, now.instant);
  shared_->server_is_stopping = false;
  connection_ = std::move(session.connection);
  socket_ = SocketReader(connection_.get());
  look_ = std::move(session.look);
  flush_ = std::move(session.flush);
  rows_ = std::move(session.rows);
  state_ = State::resting;
  unannounced_ = true;
  connected_at_ = heard_at_ = look_at_ = now.instant;
  return {};
}

void PollSource::lose_connection(const std::string& why, core::Now now) {
  connection_.reset();
  answers_.clear();
  shared_->lease.lost();
  state_ = State::connecting;
  attempts_.handed_out(cursor_);
  attempts_.lost("lost the connection: " + why + "; connecting again", now.instant - connected_at_,
                 now);
}

// ---- look, flush

Result<void> PollSource::rest(core::Now now) {
  if (std::exchange(shared_->server_is_stopping, false)) {
    lose_connection("the server is shutting down", now);
  } else if (cursor_ < horizon_.value() && has_credit_) {
    start_copy(now);
  } else if (now.instant >= look_at_) {
    ask(look_, State::looking, now);
  }
  return {};
}

void PollSource::ask(const std::string& query, State next, core::Now now) {
  answers_.clear();
  state_ = next;
  heard_at_ = now.instant;
  const bool sent = PQsendQuery(connection_.get(), query.c_str()) != 0;
  if (!sent || !socket_.flush()) {
    lose_connection(first_line(PQerrorMessage(connection_.get())), now);
  }
}

// True once libpq can say something without waiting; false also when the connection was lost.
bool PollSource::answer_ready(core::Now now) {
  while (PQisBusy(connection_.get()) != 0) {
    if (!read_socket(now)) return false;
  }
  return true;
}

bool PollSource::read_socket(core::Now now) {
  switch (socket_.read()) {
    case SocketReader::Read::some:
      return true;
    case SocketReader::Read::empty:
      return false;
    case SocketReader::Read::lost:
      lose_connection(first_line(PQerrorMessage(connection_.get())), now);
  }
  return false;
}

Result<void> PollSource::await_answer(core::Batch& batch, core::Now now) {
  const ExecStatusType good = state_ == State::ending ? PGRES_COMMAND_OK : PGRES_TUPLES_OK;
  while (answer_ready(now)) {
    socket_.fruitful();
    ResultHandle result(PQgetResult(connection_.get()));
    if (result == nullptr) return on_answer(batch, now);
    heard_at_ = now.instant;
    if (PQresultStatus(result.get()) != good) return refused(result.get(), now);
    answers_.emplace_back(std::move(result));
  }
  give_up_if_late(now);
  return {};
}

Result<void> PollSource::on_answer(core::Batch& batch, core::Now now) {
  shared_->lease.heard(now.instant);
  switch (state_) {
    case State::looking:
      return on_look(now);
    case State::flushing:
      start_copy(now);
      return {};
    default:
      end_copy(batch, now);
      return {};
  }
}

// A server that works long on one statement is alive as long as somebody sees that it holds our
// lock.
core::Instant PollSource::give_up_at() const {
  if (state_ == State::copying && !has_credit_) return heard_at_ + kStalledCopyMax;
  return std::max(heard_at_, shared_->lease.seen_at()) + kAnswerMax;
}

void PollSource::give_up_if_late(core::Now now) {
  if (connection_ == nullptr || now.instant < give_up_at()) return;
  lose_connection(state_ == State::copying && !has_credit_
                      ? "rows were left unread for want of room"
                      : "no answer within 15 s",
                  now);
}

Result<void> PollSource::refused(const PGresult* result, core::Now now) {
  const Error error = error_of(result, "poll", "table " + options_.table.text());
  // A table that changed under us is looked at anew by the next session, which says what is wrong.
  lose_connection(core::to_string(error), now);
  return {};
}

Result<void> PollSource::on_look(core::Now now) {
  const Result<Look> look = read_look(answers_);
  if (!look || look->in_recovery) {
    lose_connection(look ? "the server is a standby now" : core::to_string(look.error()), now);
    return {};
  }
  if (look->last_value < horizon_.value()) return moved_back(look->last_value);
  horizon_.observe(look->last_value, look->holders);
  note_look(*look, now);
  state_ = State::resting;
  if (horizon_.value() == cursor_) {
    look_at_ = now.instant + (has_credit_ ? pace_.after_nothing() : kLookWithoutCredit);
  } else if (look->flushed < look->inserted) {
    ask(flush_, State::flushing, now);
  } else if (has_credit_) {
    start_copy(now);
  } else {
    look_at_ = now.instant + kLookWithoutCredit;
  }
  return {};
}

Error PollSource::moved_back(uint64_t last_value) const {
  const std::string horizon = std::to_string(horizon_.value());
  return Error{core::Fault::fatal,
               "SEQUENCE_MOVED_BACK",
               "poll",
               "table " + options_.table.text(),
               "its sequence stands at " + std::to_string(last_value) + ", but everything up to " +
                   horizon + " was read already: rows with lower numbers would never be seen",
               "If the database was restored or failed over with a loss, compare source and topic "
               "with `outbox verify`; then: select setval(pg_get_serial_sequence(" +
                   quote_literal(options_.table.text()) + ", " +
                   quote_literal(options_.columns.seq) + "), " + horizon + ");"};
}

void PollSource::note_look(const Look& look, core::Now now) {
  const std::string& by = horizon_.held_back_by();
  // Under load somebody always writes; what counts is that the horizon stands still.
  if (by.empty() || horizon_.value() != facts_.horizon) {
    facts_.held_back_since = now.instant;
    held_back_told_ = false;
  }
  facts_.read_at = now.instant;
  facts_.last_seq = look.last_value;
  facts_.horizon = horizon_.value();
  facts_.held_back_by = by;
  if (held_back_told_ || now.instant - facts_.held_back_since < kHeldBackNotice) return;
  held_back_told_ = true;
  shared_->add_notice({Severity::warning, "OPEN_WRITER", held_back_reason(),
                       "End it: commit or roll back; select pg_terminate_backend(PID); rollback "
                       "prepared 'GID';"});
}

std::string PollSource::held_back_reason() const {
  return "events above seq " + std::to_string(horizon_.value()) +
         " wait for an open transaction that wrote to " + options_.table.text() + ": " +
         facts_.held_back_by;
}

// ---- rows

void PollSource::start_copy(core::Now now) {
  if (!has_credit_) {
    state_ = State::resting;
    look_at_ = now.instant + kLookWithoutCredit;
    return;
  }
  copy_began_ = false;
  copy_horizon_ = horizon_.value();
  reader_.begin(cursor_);
  ask(rows_.rows(cursor_, copy_horizon_, kRowsOfACopy), State::copying, now);
}

Result<void> PollSource::copy(core::Batch& batch, core::Credit credit, core::Now now) {
  give_up_if_late(now);
  if (connection_ == nullptr || !has_credit_) return {};
  if (!copy_began_) {
    if (!answer_ready(now)) return {};
    const ResultHandle result(PQgetResult(connection_.get()));
    if (PQresultStatus(result.get()) != PGRES_COPY_OUT) return refused(result.get(), now);
    copy_began_ = true;
  }
  const uint64_t rows_before = reader_.rows();
  const Result<Pumped> pumped =
      pump_copy(connection_.get(), socket_, reader_, batch, credit, now.wall);
  if (!pumped) return pumped.error();
  if (reader_.rows() > rows_before || *pumped == Pumped::ended) {
    heard_at_ = now.instant;
    shared_->lease.heard(now.instant);
    cursor_ = reader_.last();
  }
  switch (*pumped) {
    case Pumped::credit_used:
      more_at_hand_ = true;
      return {};
    case Pumped::socket_empty:
      return {};
    case Pumped::lost:
      lose_connection(first_line(PQerrorMessage(connection_.get())), now);
      return {};
    case Pumped::ended:
      break;
  }
  state_ = State::ending;
  answers_.clear();
  return await_answer(batch, now);
}

void PollSource::end_copy(core::Batch& batch, core::Now now) {
  if (reader_.rows() < kRowsOfACopy) cursor_ = copy_horizon_;
  add_boundary(batch);
  state_ = State::resting;
  look_at_ = now.instant + (reader_.rows() > 0 ? pace_.after_rows() : pace_.after_nothing());
  more_at_hand_ = cursor_ < horizon_.value();
}

void PollSource::add_boundary(core::Batch& batch) const {
  core::Item& item = batch.emplace_back();
  item.kind = core::ItemKind::boundary;
  item.event.position = {cursor_, 0};
}

// ---- what others ask

void PollSource::confirm(const core::Settled&) {}  // what was saved is all that counts

core::Lease PollSource::lease() const { return {attempts_.epoch(), shared_->lease.until()}; }

Interest PollSource::interest(core::Instant now) const {
  Interest interest;
  switch (state_) {
    case State::connecting:
      return attempts_.interest();
    case State::resting:
      interest.wake_at = more_at_hand_ && has_credit_ ? now : look_at_;
      break;
    case State::looking:
    case State::flushing:
    case State::copying:
    case State::ending:
      interest.fd = PQsocket(connection_.get());
      interest.readable = state_ != State::copying || has_credit_;
      interest.writable = socket_.flush_pending();
      interest.wake_at = more_at_hand_ && has_credit_ ? now : std::max(give_up_at(), now + kTick);
      if (!interest.readable && !interest.writable) interest.fd = -1;
      break;
    case State::closed:
      break;
  }
  return interest;
}

Health PollSource::health() const {
  switch (state_) {
    case State::connecting:
      return attempts_.health();
    case State::resting:
    case State::looking:
    case State::flushing:
    case State::copying:
    case State::ending:
      return {HealthState::ok, held_back_told_ ? held_back_reason() : ""};
    case State::closed:
      break;
  }
  return {HealthState::stopped, attempts_.reason()};
}

std::vector<Finding> PollSource::take_notices() { return std::exchange(shared_->notices, {}); }

void PollSource::close(core::Now) {
  connection_.reset();
  shared_->lease.lost();
  state_ = State::closed;
}

}  // namespace outbox::postgres
