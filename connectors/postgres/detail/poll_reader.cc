#include "connectors/postgres/detail/poll_reader.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/copy_pump.h"
#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/sqlstate.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Interest;
using core::Result;
using std::chrono::seconds;

constexpr core::Duration kAnswerMax = seconds(15);
constexpr core::Duration kLookWithoutCredit = seconds(1);
constexpr core::Duration kStalledCopyMax = seconds(5);
constexpr core::Duration kTick = seconds(1);
constexpr core::Duration kNameAfter = seconds(1);
constexpr core::Duration kHeldBackNotice = seconds(10);
constexpr uint64_t kRowsOfACopy = 10'000;

}  // namespace

PollReader::PollReader(PostgresOptions options, core::ChunkPool& pool,
                       std::shared_ptr<SharedSlot> shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      reader_(pool),
      pace_(options_.poll_interval_most) {}

Result<void> PollReader::begin(ConnectionHandle connection, PollStatements statements,
                               uint64_t delivered_seq, core::Now now) {
  if (Result<void> done = statements.rows.describe_to(reader_, options_); !done) return done;
  cursor_ = std::max(cursor_, delivered_seq);
  horizon_.begin(cursor_);
  connection_ = std::move(connection);
  socket_ = SocketReader(connection_.get());
  statements_ = std::move(statements);
  state_ = State::resting;
  unannounced_ = true;
  heard_at_ = look_at_ = now.instant;
  return {};
}

void PollReader::end() {
  connection_.reset();
  answers_.clear();
}

void PollReader::lose(std::string why) {
  why_ = std::move(why);
  end();
}

Result<PollReader::Step> PollReader::poll(core::Batch& batch, core::Credit credit, core::Now now) {
  has_credit_ = credit.events > 0 && credit.bytes > 0;
  more_at_hand_ = false;
  heard_ = false;
  if (Result<void> done = step(batch, credit, now); !done) return done.error();
  if (connection_ == nullptr) return Step::lost;
  if (heard_) heard_at_ = now.instant;
  return heard_ ? Step::heard : Step::waiting;
}

Result<void> PollReader::step(core::Batch& batch, core::Credit credit, core::Now now) {
  switch (state_) {
    case State::resting:
      if (std::exchange(unannounced_, false)) add_boundary(batch);
      rest(now);
      return {};
    case State::looking:
    case State::flushing:
    case State::ending:
      return await_answer(batch, now);
    case State::copying:
      return copy(batch, credit, now);
  }
  return {};
}

// ---- look, flush

void PollReader::rest(core::Now now) {
  if (cursor_ < horizon_.value() && has_credit_) {
    start_copy(now);
  } else if (now.instant >= look_at_) {
    const bool stands_still = now.instant - facts_.held_back_since >= kNameAfter;
    ask(stands_still ? statements_.look.named : statements_.look.usual, State::looking, now);
  }
}

void PollReader::ask(const std::string& query, State next, core::Now now) {
  answers_.clear();
  state_ = next;
  heard_at_ = now.instant;
  const bool sent = PQsendQuery(connection_.get(), query.c_str()) != 0;
  if (!sent || !socket_.flush()) lose(first_line(PQerrorMessage(connection_.get())));
}

// True once libpq can say something without waiting; false also when the connection was lost.
bool PollReader::answer_ready() {
  while (PQisBusy(connection_.get()) != 0) {
    if (!read_socket()) return false;
  }
  return true;
}

bool PollReader::read_socket() {
  switch (socket_.read()) {
    case SocketReader::Read::some:
      return true;
    case SocketReader::Read::empty:
      return false;
    case SocketReader::Read::lost:
      lose(first_line(PQerrorMessage(connection_.get())));
  }
  return false;
}

Result<void> PollReader::await_answer(core::Batch& batch, core::Now now) {
  const ExecStatusType good = state_ == State::ending ? PGRES_COMMAND_OK : PGRES_TUPLES_OK;
  while (answer_ready()) {
    socket_.fruitful();
    ResultHandle result(PQgetResult(connection_.get()));
    if (result == nullptr) return on_answer(batch, now);
    heard_at_ = now.instant;
    if (PQresultStatus(result.get()) != good) {
      refused(result.get());
      return {};
    }
    answers_.emplace_back(std::move(result));
  }
  give_up_if_late(now);
  return {};
}

Result<void> PollReader::on_answer(core::Batch& batch, core::Now now) {
  heard_ = true;
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
core::Instant PollReader::give_up_at() const {
  if (state_ == State::copying && !has_credit_) return heard_at_ + kStalledCopyMax;
  return std::max(heard_at_, shared_->lease.seen_at()) + kAnswerMax;
}

void PollReader::give_up_if_late(core::Now now) {
  if (connection_ == nullptr || now.instant < give_up_at()) return;
  lose(state_ == State::copying && !has_credit_ ? "rows were left unread for want of room"
                                                : "no answer within 15 s");
}

// A table that changed under us is looked at anew by the next session, which says what is wrong.
void PollReader::refused(const PGresult* result) {
  lose(core::to_string(error_of(result, "poll", "table " + options_.table.text())));
}

Result<void> PollReader::on_look(core::Now now) {
  const Result<Look> look = read_look(answers_);
  if (!look || look->in_recovery) {
    lose(look ? "the server is a standby now" : core::to_string(look.error()));
    return {};
  }
  if (look->last_value < horizon_.value()) return moved_back(look->last_value);
  horizon_.observe(look->last_value, look->holders);
  note_look(*look, now);
  state_ = State::resting;
  if (horizon_.value() == cursor_) {
    look_at_ = now.instant + (has_credit_ ? pace_.after_nothing() : kLookWithoutCredit);
    return {};
  }
  covered_ = std::max(covered_, look->inserted);
  if (look->flushed < look->inserted) {
    ask(statements_.flush, State::flushing, now);
  } else {
    start_copy(now);
  }
  return {};
}

Error PollReader::moved_back(uint64_t last_value) const {
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

void PollReader::note_look(const Look& look, core::Now now) {
  const std::string& by = horizon_.held_back_by();
  // Under load somebody always writes; what counts is that the horizon stands still.
  const bool first = facts_.read_at == core::Instant{};
  if (first || by.empty() || horizon_.value() != facts_.horizon) {
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

std::string PollReader::held_back_reason() const {
  return "events above seq " + std::to_string(horizon_.value()) +
         " wait for an open transaction that wrote to " + options_.table.text() + ": " +
         facts_.held_back_by;
}

std::string PollReader::held_back() const { return held_back_told_ ? held_back_reason() : ""; }

// ---- rows

void PollReader::start_copy(core::Now now) {
  if (!has_credit_) {
    state_ = State::resting;
    look_at_ = now.instant + kLookWithoutCredit;
    return;
  }
  copy_began_ = false;
  copy_horizon_ = horizon_.value();
  reader_.begin(cursor_);
  ask(statements_.rows.rows(cursor_, copy_horizon_, kRowsOfACopy), State::copying, now);
}

Result<void> PollReader::copy(core::Batch& batch, core::Credit credit, core::Now now) {
  give_up_if_late(now);
  if (connection_ == nullptr || !has_credit_) return {};
  if (!copy_began_) {
    if (!answer_ready()) return {};
    const ResultHandle result(PQgetResult(connection_.get()));
    if (PQresultStatus(result.get()) != PGRES_COPY_OUT) {
      refused(result.get());
      return {};
    }
    copy_began_ = true;
  }
  const uint64_t rows_before = reader_.rows();
  const Result<Pumped> pumped =
      pump_copy(connection_.get(), socket_, reader_, batch, credit, now.wall);
  if (!pumped) return pumped.error();
  if (reader_.rows() > rows_before || *pumped == Pumped::ended) {
    heard_ = true;
    cursor_ = reader_.last();
  }
  switch (*pumped) {
    case Pumped::credit_used:
      more_at_hand_ = true;
      return {};
    case Pumped::socket_empty:
      return {};
    case Pumped::lost:
      lose(first_line(PQerrorMessage(connection_.get())));
      return {};
    case Pumped::ended:
      break;
  }
  state_ = State::ending;
  answers_.clear();
  return await_answer(batch, now);
}

void PollReader::end_copy(core::Batch& batch, core::Now now) {
  if (reader_.rows() < kRowsOfACopy) cursor_ = copy_horizon_;
  add_boundary(batch);
  state_ = State::resting;
  look_at_ = now.instant + (reader_.rows() > 0 ? pace_.after_rows() : pace_.after_nothing());
  more_at_hand_ = cursor_ < horizon_.value();
}

void PollReader::add_boundary(core::Batch& batch) const {
  core::Item& item = batch.emplace_back();
  item.kind = core::ItemKind::boundary;
  item.event.position = {cursor_, 0};
}

Interest PollReader::interest(core::Instant now) const {
  Interest interest;
  if (state_ == State::resting) {
    interest.wake_at = more_at_hand_ && has_credit_ ? now : look_at_;
    return interest;
  }
  interest.readable = state_ != State::copying || has_credit_;
  interest.writable = socket_.flush_pending();
  if (interest.readable || interest.writable) interest.fd = PQsocket(connection_.get());
  interest.wake_at = more_at_hand_ && has_credit_ ? now : std::max(give_up_at(), now + kTick);
  return interest;
}

}  // namespace outbox::postgres
