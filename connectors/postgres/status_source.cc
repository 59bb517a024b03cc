#include "connectors/postgres/status_source.h"

#include <algorithm>
#include <utility>

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

// A statement on a table without indexes takes its time; a server that is gone is noticed by the
// kernel within ten seconds.
constexpr core::Duration kAnswerMax = seconds(60);
constexpr core::Duration kLookInterval = seconds(1);
constexpr core::Duration kCountInterval = seconds(1);
// A count takes a twentieth of the time at the most.
constexpr int kCountPauses = 20;

}  // namespace

StatusSource::StatusSource(PostgresOptions options, core::ChunkPool& pool,
                           std::shared_ptr<SharedMarks> shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      reader_(pool),
      pace_(options_.poll_interval_most),
      share_(options_.shards),
      open_(options_.shards),
      attempts_(options_, start_status_session) {}

StatusSource::~StatusSource() = default;

Result<void> StatusSource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                                core::Now now) {
  OUTBOX_ASSERT(credit.size() == 1);
  has_credit_ = credit[0].events > 0 && credit[0].bytes > 0;
  for (const auto& [number, cause] : shared_->refused) open_.refuse(number, cause);
  shared_->refused.clear();
  switch (state_) {
    case State::connecting:
      return connect(now);
    case State::closed:
      return {};
    case State::resting:
      break;
    default:
      if (Result<void> read = await_answer(now); !read) return read;
  }
  if (state_ == State::resting) rest(now);
  if (std::exchange(unannounced_, false)) add_boundary(batch);
  hand_out(batch, credit[0]);
  return {};
}

// ---- connecting

Result<void> StatusSource::connect(core::Now now) {
  Result<std::optional<StatusSession>> session = attempts_.poll(now);
  if (session && !*session) return {};
  Result<void> begun = session ? begin(std::move(**session), now) : session.error();
  if (!begun) state_ = State::closed;
  return begun;
}

Result<void> StatusSource::begin(StatusSession session, core::Now now) {
  const std::vector<RelationColumn> columns = session.queries.columns();
  const Result<void> described = reader_.describe(
      Relation{0, options_.table.schema, options_.table.name, columns}, session.queries.names());
  if (!described) return attempts_.failed(described.error(), now);
  for (Finding& notice : session.notices) notices_.push_back(std::move(notice));
  lease_.acquired(session.backend_pid, now.instant);
  epoch_ = std::max(epoch_, session.epoch);
  connection_ = std::move(session.connection);
  socket_ = SocketReader(connection_.get());
  queries_ = std::move(session.queries);
  state_ = State::resting;
  unannounced_ = open_.empty();
  connected_at_ = heard_at_ = look_at_ = read_at_ = count_at_ = now.instant;
  return {};
}

void StatusSource::lose_connection(const std::string& why, core::Now now) {
  connection_.reset();
  answers_.clear();
  held_.clear();
  in_copy_ = false;
  share_.lost();
  lease_.lost();
  state_ = State::connecting;
  attempts_.lost("lost the connection: " + why + "; connecting again", now.instant - connected_at_,
                 now);
}

// ---- what to do next

void StatusSource::rest(core::Now now) {
  const auto& draining = share_.draining();
  const auto drained = std::find_if(draining.begin(), draining.end(), [this](uint32_t shard) {
    return held_.empty() && open_.of_shard(shard) == 0;
  });
  if (shared_->asked && !shared_->done) {
    ask_mark(now);
  } else if (now.instant >= look_at_) {
    look_at_ = now.instant + kLookInterval;
    ask(queries_.locks(), State::looking, now);
  } else if (drained != draining.end()) {
    releasing_ = *drained;
    ask(queries_.release(releasing_), State::releasing, now);
  } else if (now.instant >= count_at_) {
    ask(queries_.count(share_.readable()), State::counting, now);
  } else if (read_wanted() && now.instant >= read_at_) {
    reader_.begin();
    held_.begin();
    ask(queries_.read(share_.readable(), open_.ids(), held_.limit()), State::reading, now);
  }
}

bool StatusSource::read_wanted() const {
  return held_.empty() && has_credit_ && open_.size() <= kOpenRowsMost &&
         !share_.readable().empty();
}

// ---- asking

void StatusSource::ask(const std::string& query, State next, core::Now now) {
  asked(PQsendQuery(connection_.get(), query.c_str()) != 0, next, now);
}

void StatusSource::asked(bool sent, State next, core::Now now) {
  answers_.clear();
  state_ = next;
  asked_at_ = heard_at_ = now.instant;
  if (!sent || !socket_.flush()) {
    lose_connection(first_line(PQerrorMessage(connection_.get())), now);
  }
}

void StatusSource::ask_mark(core::Now now) {
  marking_.begin(open_.marks(asked_number()));
  go_on_marking(now);
}

void StatusSource::go_on_marking(core::Now now) {
  const Marking::Next next = marking_.next(connection_.get(), queries_);
  if (next == Marking::Next::done) return marked();
  asked(next == Marking::Next::asked, State::marking, now);
}

// Everything up to the settled event: each is as good an end as a boundary.
uint64_t StatusSource::asked_number() const {
  return std::max(shared_->asked->boundary, shared_->asked->settled).major;
}

void StatusSource::marked() {
  open_.settled(asked_number());
  shared_->done = true;
  state_ = State::resting;
}

// ---- answers

bool StatusSource::read_socket(core::Now now) {
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

Result<void> StatusSource::await_answer(core::Now now) {
  while (connection_ != nullptr) {
    if (in_copy_) {
      if (Result<void> read = read_copy(now); !read) return read;
      if (in_copy_ || connection_ == nullptr) break;
    }
    if (PQisBusy(connection_.get()) != 0) {
      if (!read_socket(now)) break;
      continue;
    }
    socket_.fruitful();
    heard_at_ = now.instant;
    ResultHandle result(PQgetResult(connection_.get()));
    if (result == nullptr) {
      lease_.heard(now.instant);
      return on_answer(now);
    }
    switch (PQresultStatus(result.get())) {
      case PGRES_COMMAND_OK:
        break;
      case PGRES_TUPLES_OK:
        answers_.emplace_back(std::move(result));
        break;
      case PGRES_COPY_OUT:
        in_copy_ = true;
        break;
      default:
        // What changed under us is looked at anew by the next session, which says what is wrong.
        lose_connection(core::to_string(error_of(result.get(), "read and mark",
                                                 "table " + options_.table.text())),
                        now);
    }
  }
  if (connection_ != nullptr && now.instant - heard_at_ > kAnswerMax) {
    lose_connection("no answer within 60 s", now);
  }
  return {};
}

Result<void> StatusSource::read_copy(core::Now now) {
  for (;;) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_.get(), &buffer, 1);
    if (size == 0) {
      if (!read_socket(now)) return {};
      continue;
    }
    socket_.fruitful();
    heard_at_ = now.instant;
    if (size < 0) {
      in_copy_ = false;
      return {};
    }
    CopyBuffer message(buffer, static_cast<size_t>(size), PQfreemem);
    if (Result<void> read = on_row(message, now); !read) return read;
  }
}

Result<void> StatusSource::on_row(CopyBuffer& message, core::Now now) {
  if (held_.full()) {
    held_.drop();
    return {};
  }
  const size_t size = message.view().size();
  Result<std::optional<ReadRow>> row = reader_.read(message, now.wall);
  if (!row) return row.error();
  if (*row) held_.add(std::move(**row), size);
  return {};
}

Result<void> StatusSource::on_answer(core::Now now) {
  const State answered = std::exchange(state_, State::resting);
  switch (answered) {
    case State::looking:
      on_locks(now);
      break;
    case State::taking:
      on_taken(now);
      break;
    case State::releasing:
      share_.released(releasing_);
      tell_shards();
      break;
    case State::reading:
      on_read(now);
      break;
    case State::flushing:
      held_flushed_ = true;
      break;
    case State::marking:
      if (Result<void> good = marking_.answered(answers_, options_.table.text()); !good) {
        return good;
      }
      go_on_marking(now);
      break;
    case State::counting:
      on_counted(now);
      break;
    default:
      break;
  }
  return {};
}

// ---- shards

void StatusSource::on_locks(core::Now now) {
  wanted_ = share_.observe(read_locks(answers_[0]));
  if (!wanted_.empty()) return ask(queries_.take(wanted_), State::taking, now);
  tell_shards();
}

void StatusSource::on_taken(core::Now now) {
  const Rows& rows = answers_[0];
  for (int row = 0; row < rows.count(); ++row) {
    if (rows.text(row, "held").value_or("") != "t") continue;
    share_.took(to_number<uint32_t>(rows.text(row, "shard").value_or("")));
    epoch_ = std::max(epoch_, to_number<uint64_t>(rows.text(row, "at").value_or("")));
    read_at_ = now.instant;
  }
  tell_shards();
}

void StatusSource::tell_shards() {
  constexpr size_t kNoticesMost = 32;
  const std::string news = share_.take_news();
  if (news.empty() || notices_.size() >= kNoticesMost) return;
  notices_.push_back({Severity::note, "SHARDS", "pipeline " + options_.pipeline + " " + news, ""});
}

// ---- rows

void StatusSource::on_read(core::Now now) {
  if (held_.ended()) {
    read_at_ = now.instant;
  } else {
    const core::Duration pause = held_.empty() ? pace_.after_nothing() : pace_.after_rows();
    read_at_ = now.instant + std::max(pause, now.instant - asked_at_);
  }
  if (held_.empty()) return;
  // Two answers came, in the order of the statements.
  held_flushed_ = answers_[1].lsn("flushed") >= answers_[0].lsn("inserted");
  if (!held_flushed_) ask(queries_.flush(held_.first()), State::flushing, now);
}

bool StatusSource::may_hand_out() const {
  return !held_.empty() && held_flushed_ && state_ != State::reading;
}

void StatusSource::hand_out(core::Batch& batch, core::Credit credit) {
  size_t bytes = 0;
  for (size_t events = 0; may_hand_out() && events < credit.events && bytes < credit.bytes;
       ++events) {
    ReadRow row = held_.take();
    const uint64_t number = open_.add(row.item.event.id, row.shard);
    row.item.event.position = {number, 0};
    row.item.event.seq = number;
    bytes += row.item.event.bytes();
    batch.push_back(std::move(row.item));
    if (held_.empty()) add_boundary(batch);
  }
}

void StatusSource::add_boundary(core::Batch& batch) const {
  core::Item& item = batch.emplace_back();
  item.kind = core::ItemKind::boundary;
  item.event.position = {open_.last(), 0};
}

// Each READY row that is not open will take one more number.
void StatusSource::on_counted(core::Now now) {
  const auto ready = answers_[0].number<uint64_t>("ready");
  const uint64_t unmarked = std::min<uint64_t>(ready, open_.size());
  facts_ = {asked_at_, open_.last() + (ready - unmarked)};
  count_at_ = now.instant + std::max(kCountInterval, (now.instant - asked_at_) * kCountPauses);
}

// ---- what others ask

Interest StatusSource::interest(core::Instant now) const {
  Interest interest;
  switch (state_) {
    case State::connecting:
      return attempts_.interest();
    case State::closed:
      break;
    case State::resting:
      interest.wake_at = std::min(look_at_, count_at_);
      if (shared_->asked && !shared_->done) interest.wake_at = now;
      if (read_wanted()) interest.wake_at = std::min(interest.wake_at, read_at_);
      break;
    default:
      interest.fd = PQsocket(connection_.get());
      interest.writable = socket_.flush_pending();
      interest.wake_at = heard_at_ + kAnswerMax;
  }
  if (has_credit_ && may_hand_out()) interest.wake_at = now;
  return interest;
}

Health StatusSource::health() const {
  switch (state_) {
    case State::connecting:
      return attempts_.health();
    case State::closed:
      return {HealthState::stopped, attempts_.reason()};
    default:
      return {HealthState::ok, share_.readable().empty() ? share_.text() : ""};
  }
}

void StatusSource::close(core::Now) {
  connection_.reset();
  lease_.lost();
  state_ = State::closed;
}

}  // namespace outbox::postgres
