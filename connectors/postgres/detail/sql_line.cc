#include "connectors/postgres/detail/sql_line.h"

#include <array>
#include <utility>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/sqlstate.h"
#include "connectors/postgres/letter_options.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Health;
using core::HealthState;
using core::Result;

// A batch may be some megabytes on a slow disk; past this the server is not there at all.
constexpr core::Duration kAnswerMax = std::chrono::seconds(30);

// Whoever does not end at such an Error asks again.
constexpr core::Duration kFatalPause = std::chrono::milliseconds(500);

// A grant is missing, but the login was right: asking again locks no account.
constexpr core::Duration kGrantPause = std::chrono::seconds(1);
constexpr std::string_view kInsufficientPrivilege = "42501";

constexpr size_t kParametersMax = 24;

constexpr std::string_view kUndefinedFunction = "42883";
constexpr std::string_view kUndefinedTable = "42P01";

// The name alone means: this schema is older than the relay.
Error explained(Error error, const std::string& purpose) {
  if (error.code != kUndefinedFunction && error.code != kUndefinedTable) return error;
  return Error{core::Fault::fatal, kSchemaTooOld,
               "prepare",          purpose,
               error.detail,       "Run `outbox schema apply`, then start again"};
}

}  // namespace

SqlLine::SqlLine(const PostgresOptions& options, std::string purpose,
                 std::vector<PreparedStatement> statements, uint64_t seed)
    : options_(options),
      purpose_(std::move(purpose)),
      statements_(std::move(statements)),
      reconnect_delay_(seed) {}

SqlLine::~SqlLine() = default;

Result<SqlLine::Opened> SqlLine::open(const PostgresOptions& options,
                                      const std::vector<PreparedStatement>& statements,
                                      const Waiter& waiter) {
  auto sql = Connection::open(options.url, ConnectionKind::sql, application_name(options), waiter);
  if (!sql) return sql.error();
  for (const PreparedStatement& statement : statements) {
    const auto done = sql->run("prepare " + statement.name + " " + statement.sql, {}, "prepare",
                               statement.name, waiter);
    if (!done) return done.error();
  }
  const auto timeline = sql->run(kTimelineQuery, {}, "ask for", "the timeline", waiter);
  if (!timeline) return timeline.error();
  PQsetnonblocking(sql->handle(), 1);
  PQenterPipelineMode(sql->handle());
  return Opened{sql->release(), timeline->number<uint32_t>("timeline")};
}

Result<SqlLine::Step> SqlLine::poll(core::Now now) {
  switch (state_) {
    case State::resting:
      if (now.instant < retry_at_) return Step::waiting;
      state_ = State::connecting;
      worker_.start([options = options_, statements = statements_](const Waiter& waiter) {
        return open(options, statements, waiter);
      });
      return Step::waiting;
    case State::connecting:
      return finish_connecting(now);
    case State::connected:
      return read(now);
  }
  return Step::waiting;
}

Result<SqlLine::Step> SqlLine::finish_connecting(core::Now now) {
  auto done = worker_.take();
  if (!done) return Step::waiting;
  if (!*done) {
    const Error& error = done->error();
    state_ = State::resting;
    reason_ = core::to_string(error);
    if (error.fault == core::Fault::fatal) {
      retry_at_ = now.instant + kFatalPause;
      return explained(error, purpose_);
    }
    retry_at_ = now.instant + (error.code == kInsufficientPrivilege
                                   ? kGrantPause
                                   : reconnect_delay_.after_failure(trouble_of(error.code)));
    return Step::waiting;
  }
  connection_ = std::move((*done)->connection);
  timeline_ = (*done)->timeline;
  state_ = State::connected;
  connected_at_ = now.instant;
  ever_connected_ = true;
  reason_.clear();
  awaiting_ = broken_ = flush_pending_ = complete_ = false;
  answers_.clear();
  return Step::connected;
}

void SqlLine::add(const char* statement, std::initializer_list<Bytes> parameters) {
  OUTBOX_ASSERT(idle() && parameters.size() <= kParametersMax);
  std::array<const char*, kParametersMax> values{};
  std::array<int, kParametersMax> lengths{};
  std::array<int, kParametersMax> formats{};
  size_t count = 0;
  for (const Bytes& parameter : parameters) {
    if (parameter) values[count] = parameter->data() != nullptr ? parameter->data() : "";
    lengths[count] = parameter ? static_cast<int>(parameter->size()) : 0;
    formats[count++] = 1;
  }
  constexpr int kBinaryAnswers = 1;
  if (PQsendQueryPrepared(connection_.get(), statement, static_cast<int>(count), values.data(),
                          lengths.data(), formats.data(), kBinaryAnswers) == 0) {
    broken_ = true;
  }
}

void SqlLine::add_command(const char* sql) {
  OUTBOX_ASSERT(idle());
  constexpr int kTextAnswers = 0;
  if (PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr,
                        kTextAnswers) == 0) {
    broken_ = true;
  }
}

void SqlLine::send(core::Now now) {
  OUTBOX_ASSERT(idle());
  awaiting_ = true;
  complete_ = false;
  asked_at_ = now.instant;
  answers_.clear();
  if (PQpipelineSync(connection_.get()) == 0) broken_ = true;
  const int flushed = PQflush(connection_.get());
  flush_pending_ = flushed > 0;
  if (flushed < 0) broken_ = true;
}

SqlLine::Step SqlLine::read(core::Now now) {
  if (broken_) return lose(first_line(PQerrorMessage(connection_.get())), now);
  if (flush_pending_) flush_pending_ = PQflush(connection_.get()) > 0;
  if (PQconsumeInput(connection_.get()) == 0) {
    return lose(first_line(PQerrorMessage(connection_.get())), now);
  }
  if (!awaiting_ || complete_) return Step::waiting;
  // A null result ends each statement's; the one of the sync ends the batch.
  while (PQisBusy(connection_.get()) == 0) {
    ResultHandle result(PQgetResult(connection_.get()));
    if (result == nullptr) {
      if (PQstatus(connection_.get()) != CONNECTION_OK) return lose("the server closed it", now);
      continue;
    }
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) {
      complete_ = true;
      return Step::waiting;
    }
    answers_.push_back(std::move(result));
  }
  if (now.instant - asked_at_ > kAnswerMax) return lose("no answer within 30 s", now);
  return Step::waiting;
}

std::optional<std::vector<ResultHandle>> SqlLine::take_answers() {
  if (!complete_) return std::nullopt;
  complete_ = awaiting_ = false;
  return std::exchange(answers_, {});
}

SqlLine::Step SqlLine::lose(const std::string& why, core::Now now) {
  connection_.reset();
  timeline_ = 0;
  state_ = State::resting;
  awaiting_ = complete_ = false;
  answers_.clear();
  reason_ = "lost " + purpose_ + ": " + why + "; connecting again";
  retry_at_ = now.instant + reconnect_delay_.after_loss(now.instant - connected_at_);
  return Step::lost;
}

core::Interest SqlLine::interest() const {
  core::Interest interest;
  switch (state_) {
    case State::resting:
      interest.wake_at = retry_at_;
      break;
    case State::connecting:
      interest.fd = worker_.fd();
      break;
    case State::connected:
      interest.fd = PQsocket(connection_.get());
      interest.writable = flush_pending_;
      if (awaiting_) interest.wake_at = asked_at_ + kAnswerMax;
  }
  return interest;
}

Health SqlLine::health() const {
  if (state_ == State::connected) return {HealthState::ok, ""};
  const bool begun = ever_connected_ || !reason_.empty();
  return {begun ? HealthState::waiting : HealthState::starting,
          reason_.empty() ? "connecting " + purpose_ : reason_};
}

}  // namespace outbox::postgres
