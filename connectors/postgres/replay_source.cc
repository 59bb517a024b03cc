#include "connectors/postgres/replay_source.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/json_text.h"
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

constexpr const char* kPolicies = "outbox_replay_policies";
constexpr const char* kKeys = "outbox_blocked_keys";
constexpr const char* kGone = "outbox_letters_gone";
constexpr const char* kAutomatic = "outbox_replay_automatic";
constexpr const char* kJobs = "outbox_replay_jobs";
constexpr const char* kProposed = "outbox_replays_proposed";
constexpr const char* kPage = "outbox_replay_page";
constexpr const char* kPassed = "outbox_replay_passed";

std::vector<PreparedStatement> statements() {
  return {
      {kPolicies, "(text, text) as select outbox.replay_policies($1, $2::jsonb)"},
      {kKeys,
       "(text) as select aggregate_type, aggregate_id, event_type, letters::text from "
       "outbox.blocked_keys($1)"},
      {kGone,
       "(text, text) as select aggregate_type, aggregate_id, event_type, '1', letter::text from "
       "outbox.letters_gone($1, $2::bigint[])"},
      {kAutomatic, "(text, text) as select outbox.replay_automatic($1, $2)::text"},
      {kJobs,
       "(text, text) as select job::text, coalesce(rate, 0)::text from outbox.replay_jobs($1, "
       "$2::integer)"},
      {kProposed,
       "(text) as select count(*)::text from outbox.replay_job j where j.pipeline = $1 and j.state "
       "= 'proposed'"},
      {kPage, std::string("(text, text, text, text, text, text) as select ") +
                  LetterReader::kColumns +
                  " from outbox.replay_page($1, $2::bigint, $3::bigint, $4::bigint, $5::integer, "
                  "$6::bigint)"},
      {kPassed, "(text, text) as select outbox.replay_passed($1, $2::bigint)"}};
}

std::string number_of(const std::optional<AutomaticReplay>& automatic,
                      uint32_t AutomaticReplay::*number) {
  return automatic ? std::to_string((*automatic).*number) : "null";
}

// As outbox.replay_policies() takes them.
std::string policies_json(const std::vector<RouteLetters>& routes) {
  std::string json = "[";
  StringWriter out{json};
  for (const RouteLetters& route : routes) {
    const auto& automatic = route.replay.automatic;
    out.put(json.size() > 1 ? ",{\"route\":" : "{\"route\":");
    put_json_string(route.name, out);
    out.put(route.replay.approval ? ",\"approval\":true" : ",\"approval\":false");
    const std::pair<const char*, std::string> numbers[] = {
        {"replays_max", std::to_string(route.replay.replays_max)},
        {"automatic_rate_first", number_of(automatic, &AutomaticReplay::rate_first)},
        {"automatic_rate_most", number_of(automatic, &AutomaticReplay::rate_most)},
        {"automatic_failures_max", number_of(automatic, &AutomaticReplay::failures_max)},
        {"automatic_replays_max", number_of(automatic, &AutomaticReplay::replays_max)}};
    for (const auto& [name, number] : numbers) out.put(",\"" + std::string(name) + "\":" + number);
    out.put("}");
  }
  return json + "]";
}

}  // namespace

ReplaySource::ReplaySource(const PostgresOptions& options, const LetterOptions& letters,
                           core::ChunkPool& pool, std::shared_ptr<SharedSlot> shared)
    : options_(options),
      letter_options_(letters),
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
  core::Credit left = credit[0];
  for (const PGresult* handing = nullptr; rows_ != nullptr && rows_.get() != handing;) {
    handing = rows_.get();
    if (auto handed = hand_out(batch, left, now); !handed) return handed;
  }
  if (line_.idle()) ask(now);
  return {};
}

// While the source has no session, its own attempts say what is wrong, and are enough for a server
// that is starting.
bool ReplaySource::may_talk() const {
  return state_ != State::absent && (line_.connected() || shared_->lease.held());
}

Result<void> ReplaySource::on_error(const Error& error, core::Batch& batch) {
  if (error.code != kSchemaTooOld || letter_options_.table == LetterTable::required) return error;
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
      if (rows_ != nullptr || !shared_->lease.held()) return;
      line_.add(kPolicies, {options_.pipeline, policies_json(letter_options_.routes)});
      line_.add(kKeys, {options_.pipeline});
      break;
    case State::resting:
      if (now.instant < look_at_) return;
      state_ = State::looking;
      [[fallthrough]];
    case State::looking:
      ask_what_is_due(now);
      break;
    case State::handing:
      if (ahead_ != nullptr || PQntuples(rows_.get()) == 0) return;
      [[fallthrough]];
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
    case State::confirming:
    case State::absent:
      return;
  }
  asked_ = state_;
  line_.send(now);
}

// What locks the pipeline's progress comes first, as everywhere.
void ReplaySource::ask_what_is_due(core::Now now) {
  asked_routes_ = recovered_.size();
  for (const std::string& route : recovered_) line_.add(kAutomatic, {options_.pipeline, route});
  std::string told = "{";
  for (const std::string& letter : told_) told += (told.size() > 1 ? "," : "") + letter;
  line_.add(kGone, {options_.pipeline, told + "}"});
  line_.add(kJobs, {options_.pipeline, std::to_string(held_retries(now))});
  line_.add(kProposed, {options_.pipeline});
}

// What the budget allows since the last look, a second's share at most.
uint32_t ReplaySource::held_retries(core::Now now) {
  const std::chrono::duration<double> since = now.instant - retries_at_;
  retries_at_ = now.instant;
  const double rate = letter_options_.held_retries_per_s;
  retries_ = std::min(retries_ + rate * std::min(since.count(), 1.0), std::max(rate, 1.0));
  const auto whole = static_cast<uint32_t>(retries_);
  retries_ -= whole;
  return whole;
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
  switch (asked_) {
    case State::naming:
      next_row_ = 0;
      rows_ = std::move(answers.back());
      return {};
    case State::reading:
    case State::handing:
      take_page(std::move(answers.back()));
      return {};
    case State::looking:
      OUTBOX_ASSERT(answers.size() == asked_routes_ + 3);
      recovered_.erase(recovered_.begin(),
                       recovered_.begin() + static_cast<ptrdiff_t>(asked_routes_));
      take_released(answers[asked_routes_].get(), batch);
      proposed_ = result_number<uint64_t>(answers[asked_routes_ + 2].get(), 0, 0);
      take_jobs(answers[asked_routes_ + 1].get(), now);
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

// One that was read ahead may come when its round is over: the next one reads it again.
void ReplaySource::take_page(ResultHandle page) {
  if (state_ != State::reading && state_ != State::handing) return;
  if (const int rows = PQntuples(page.get()); rows > 0) {
    had_letters_ = true;
    after_lane_ = LetterReader::lane(page.get(), rows - 1);
    after_place_ = LetterReader::place(page.get(), rows - 1);
    allowance_ -= rows;
  }
  if (state_ == State::handing) {
    ahead_ = std::move(page);
    return;
  }
  rows_ = std::move(page);
  next_row_ = 0;
  state_ = State::handing;
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

Result<void> ReplaySource::hand_out(core::Batch& batch, core::Credit& left, core::Now now) {
  if (state_ == State::naming) {
    hand_out_keys(batch);
    return {};
  }
  const int rows = PQntuples(rows_.get());
  for (; next_row_ < rows && left.events > 0 && left.bytes > 0; ++next_row_) {
    Item& item = batch.emplace_back();
    if (auto read = letters_.read(rows_.get(), next_row_, item); !read) return read;
    item.event.position = {round_, ++turn_};
    left.bytes -= std::min(left.bytes, item.event.bytes());
    --left.events;
  }
  if (next_row_ < rows) return {};
  rows_ = std::move(ahead_);
  next_row_ = 0;
  if (rows == 0 || now.instant >= pass_until_) {
    rows_.reset();
    letters_.let_go();
    end_round(batch);
  } else if (rows_ == nullptr) {
    letters_.let_go();
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

void ReplaySource::replay_route(uint32_t route) {
  OUTBOX_ASSERT(route < letter_options_.routes.size());
  const std::string& name = letter_options_.routes[route].name;
  if (std::find(recovered_.begin(), recovered_.end(), name) != recovered_.end()) return;
  recovered_.push_back(name);
}

core::Interest ReplaySource::interest(core::Instant now) const {
  if (!may_talk()) return {};
  core::Interest interest = line_.interest();
  if (!line_.idle() || rows_ != nullptr) return interest;  // room for rows wakes the pipeline
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
