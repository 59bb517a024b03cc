#include "connectors/postgres/replay_source.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Item;
using core::ItemKind;
using core::Result;

constexpr core::Duration kLookInterval = std::chrono::milliseconds(500);
constexpr core::Duration kPassMax = std::chrono::seconds(2);
constexpr size_t kPageLettersMax = 2000;
constexpr size_t kPageBytesMax = 1024 * 1024;
constexpr int kKeysPerPoll = 1000;

constexpr const char* kKeys = "outbox_blocked_keys";
constexpr const char* kGone = "outbox_letters_gone";
constexpr const char* kJobs = "outbox_replay_jobs";
constexpr const char* kPage = "outbox_replay_page";
constexpr const char* kPassed = "outbox_replay_passed";

std::vector<PreparedStatement> statements() {
  return {
      {kKeys,
       "(text) as select aggregate_type, aggregate_id, event_type, letters::text from "
       "outbox.blocked_keys($1)"},
      {kGone,
       "(text, text) as select aggregate_type, aggregate_id, event_type, '1', letter::text from "
       "outbox.letters_gone($1, $2::bigint[])"},
      {kJobs, "(text) as select job::text, coalesce(rate, 0)::text from outbox.replay_jobs($1)"},
      {kPage, std::string("(text, text, text, text, text, text) as select ") +
                  LetterReader::kColumns +
                  " from outbox.replay_page($1, $2::bigint, $3::bigint, $4::bigint, $5::integer, "
                  "$6::bigint)"},
      {kPassed, "(text, text) as select outbox.replay_passed($1, $2::bigint)"}};
}

}  // namespace

ReplaySource::ReplaySource(const PostgresOptions& options, LetterTable table, core::ChunkPool& pool,
                           std::shared_ptr<SharedSlot> shared)
    : options_(options),
      table_(table),
      shared_(std::move(shared)),
      line_(options, "the connection that reads dead letters", statements(),
            options.jitter_seed + 3),
      letters_(options.columns.extras, pool) {}

Result<void> ReplaySource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                                core::Now now) {
  OUTBOX_ASSERT(credit.size() == 1);
  if (!may_talk()) return {};
  const Result<SqlLine::Step> step = line_.poll(now);
  if (!step) return on_error(step.error(), batch);
  if (auto answers = line_.take_answers()) {
    if (auto taken = on_answers(*answers, batch, now); !taken) return taken;
  }
  if (rows_ != nullptr) {
    if (auto handed = hand_out(batch, credit[0], now); !handed) return handed;
  }
  if (line_.idle() && rows_ == nullptr) ask(now);
  return {};
}

// While the source has no session, its own attempts say what is wrong, and are enough for a server
// that is starting.
bool ReplaySource::may_talk() const {
  return state_ != State::absent && (line_.connected() || shared_->lease.held());
}

Result<void> ReplaySource::on_error(const Error& error, core::Batch& batch) {
  if (error.code != kSchemaTooOld || table_ == LetterTable::required) return error;
  shared_->add_notice({Severity::warning, kSchemaTooOld,
                       "the database has no outbox.dead_letter: dead letters go to their topics "
                       "only, and cannot be replayed",
                       "Run `outbox schema apply`, then start again"});
  end_round(batch);
  state_ = State::absent;
  return {};
}

// Every question may be asked again: what was asked and not answered is asked anew.
void ReplaySource::ask(core::Now now) {
  switch (state_) {
    case State::naming:
      if (!shared_->lease.held()) return;
      line_.add(kKeys, {options_.pipeline});
      break;
    case State::resting:
      if (now.instant < look_at_) return;
      state_ = State::looking;
      [[fallthrough]];
    case State::looking: {
      std::string told = "{";
      for (const std::string& letter : told_) told += (told.size() > 1 ? "," : "") + letter;
      line_.add(kGone, {options_.pipeline, told + "}"});
      line_.add(kJobs, {options_.pipeline});
      break;
    }
    case State::reading: {
      const size_t letters = page_letters(now);
      if (letters == 0) return;
      line_.add(kPage, {options_.pipeline, jobs_.front().number, after_lane_, after_place_,
                        std::to_string(letters), std::to_string(kPageBytesMax)});
      break;
    }
    case State::passing:
      line_.add(kPassed, {options_.pipeline, jobs_.front().number});
      break;
    case State::handing:
    case State::confirming:
    case State::absent:
      return;
  }
  line_.send(now);
}

Result<void> ReplaySource::on_answers(std::vector<ResultHandle>& answers, core::Batch& batch,
                                      core::Now now) {
  for (const ResultHandle& answer : answers) {
    if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK) continue;
    const Error error =
        error_of(answer.get(), "read the dead letters of", "pipeline " + options_.pipeline);
    if (error.fault != core::Fault::retry) return error;
    look_at_ = now.instant + kLookInterval;
    return {};  // asked again
  }
  switch (state_) {
    case State::naming:
    case State::reading:
      next_row_ = 0;
      rows_ = std::move(answers[0]);
      if (state_ == State::reading) state_ = State::handing;
      return {};
    case State::looking:
      take_released(answers[0].get(), batch);
      take_jobs(answers[1].get(), now);
      return {};
    case State::passing:
      jobs_.erase(jobs_.begin());
      if (!jobs_.empty()) {
        begin_pass(now);
      } else {
        rest(had_letters_ ? now.instant : now.instant + kLookInterval);
      }
      return {};
    default:
      OUTBOX_ASSERT(!"an answer to no question");
  }
  return {};
}

void ReplaySource::rest(core::Instant until) {
  state_ = State::resting;
  look_at_ = until;
}

void ReplaySource::take_released(const PGresult* rows, core::Batch& batch) {
  told_.clear();
  for (int row = 0; row < PQntuples(rows); ++row) {
    constexpr int kGoneLetter = 4;
    told_.emplace_back(result_text(rows, row, kGoneLetter));
    put_key(rows, row, ItemKind::released, batch);
  }
}

void ReplaySource::take_jobs(const PGresult* rows, core::Now now) {
  jobs_.clear();
  for (int row = 0; row < PQntuples(rows); ++row) {
    jobs_.push_back({std::string(result_text(rows, row, 0)), result_number<int>(rows, row, 1)});
  }
  had_letters_ = false;
  jobs_.empty() ? rest(now.instant + kLookInterval) : begin_pass(now);
}

void ReplaySource::begin_pass(core::Now now) {
  state_ = State::reading;
  after_lane_ = after_place_ = "0";
  pass_until_ = now.instant + kPassMax;
  allowance_at_ = now.instant;
  allowance_ = 0;
}

// As many as the job's rate allows now.
size_t ReplaySource::page_letters(core::Now now) {
  const double rate_per_s = jobs_.front().rate_per_s;
  if (rate_per_s == 0) return kPageLettersMax;
  const std::chrono::duration<double> since = now.instant - allowance_at_;
  allowance_at_ = now.instant;
  allowance_ = std::min(allowance_ + rate_per_s * since.count(), std::max(rate_per_s / 10, 1.0));
  return std::min(static_cast<size_t>(allowance_), kPageLettersMax);
}

Result<void> ReplaySource::hand_out(core::Batch& batch, core::Credit credit, core::Now now) {
  if (state_ == State::naming) {
    hand_out_keys(batch);
    return {};
  }
  const int rows = PQntuples(rows_.get());
  for (; next_row_ < rows && credit.events > 0 && credit.bytes > 0; ++next_row_) {
    Item& item = batch.emplace_back();
    if (auto read = letters_.read(rows_.get(), next_row_, item); !read) return read;
    item.event.position = {round_, ++turn_};
    credit.bytes -= std::min(credit.bytes, item.event.bytes());
    --credit.events;
  }
  if (next_row_ < rows) return {};
  if (rows > 0) {
    had_letters_ = true;
    after_lane_ = LetterReader::lane(rows_.get(), rows - 1);
    after_place_ = LetterReader::place(rows_.get(), rows - 1);
    allowance_ -= rows;
  }
  rows_.reset();
  letters_.let_go();
  if (rows == 0 || now.instant >= pass_until_) {
    end_round(batch);
  } else {
    state_ = State::reading;
  }
  return {};
}

void ReplaySource::hand_out_keys(core::Batch& batch) {
  const int rows = PQntuples(rows_.get());
  const int end = std::min(rows, next_row_ + kKeysPerPoll);
  for (; next_row_ < end; ++next_row_) put_key(rows_.get(), next_row_, ItemKind::blocked, batch);
  if (next_row_ < rows) return;
  rows_.reset();
  letters_.let_go();
  end_round(batch);
}

void ReplaySource::end_round(core::Batch& batch) {
  Item& boundary = batch.emplace_back();
  boundary.kind = ItemKind::boundary;
  boundary.event.position = {++round_, 0};
  turn_ = 0;
  state_ = State::confirming;
}

void ReplaySource::confirm(const core::Settled& settled) {
  if (state_ == State::absent) return;
  OUTBOX_ASSERT(state_ == State::confirming && settled.low == (core::Position{round_, 0}));
  if (jobs_.empty()) {
    rest(core::Instant{});  // the keys are known
  } else {
    state_ = State::passing;
  }
}

void ReplaySource::put_key(const PGresult* rows, int row, ItemKind kind, core::Batch& batch) {
  Item& item = batch.emplace_back();
  item.kind = kind;
  letters_.read_key(rows, row, item);
}

// ---- what others ask

core::Interest ReplaySource::interest(core::Instant now) const {
  if (!may_talk()) return {};
  core::Interest interest = line_.interest();
  if (!line_.idle() || rows_ != nullptr) return interest;
  switch (state_) {
    case State::resting:
      interest.wake_at = std::min(interest.wake_at, look_at_);
      break;
    case State::reading:
      interest.wake_at = std::min(interest.wake_at, now + std::chrono::milliseconds(10));
      break;
    case State::passing:
      interest.wake_at = now;
      break;
    default:
      break;
  }
  return interest;
}

core::Health ReplaySource::health() const {
  return may_talk() ? line_.health() : core::Health{core::HealthState::ok, ""};
}

}  // namespace outbox::postgres
