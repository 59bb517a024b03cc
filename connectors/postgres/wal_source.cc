#include "connectors/postgres/wal_source.h"

#include <poll.h>

#include <algorithm>

#include "connectors/postgres/detail/sqlstate.h"
#include "connectors/postgres/detail/status_message.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Health;
using core::HealthState;
using core::Interest;
using core::Result;
using std::chrono::seconds;

// Well below any sensible wal_sender_timeout (60 s by default).
constexpr core::Duration kStatusInterval = seconds(1);
constexpr core::Duration kAskAfterSilence = seconds(2);
constexpr core::Duration kSilenceMaxFirst = seconds(10);  // the lease's length
constexpr core::Duration kSilenceMaxLast = seconds(600);
// A heartbeat that saw our walsender this lately proves it alive: it decodes something that is not
// for us, a huge transaction of other tables for example.
constexpr core::Duration kSeenLately = seconds(5);
constexpr core::Duration kCloseTimeout = seconds(1);

}  // namespace

WalSource::WalSource(PostgresOptions options, core::ChunkPool& pool,
                     std::shared_ptr<SharedSlot> shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      reader_(options_.table, options_.columns, pool, options_.on_update, options_.captures),
      interim_(options_, pool, shared_),
      refill_(pool),
      attempts_(options_, start_session) {
  attempts_.offer_to(interim_.slot_wait());
}

WalSource::~WalSource() = default;

Result<void> WalSource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                             core::Now now) {
  OUTBOX_ASSERT(credit.size() == 1);
  switch (state_) {
    case State::connecting:
      return connect(batch, credit[0], now);
    case State::refilling:
      return refill(batch, credit[0], now);
    case State::streaming:
      return stream(batch, credit[0], now);
    case State::closed:
      return {};
  }
  return {};
}

Result<void> WalSource::connect(core::Batch& batch, core::Credit credit, core::Now now) {
  attempts_.handed_out(core::Lsn{reader_.handed().major}, reader_.last_event());
  Result<std::optional<Session>> session = attempts_.poll(now);
  if (session && attempts_.running()) return poll_meanwhile(batch, credit, now);
  if (interim_.end()) shared_->lease.lost();
  if (!session) {
    state_ = State::closed;
    return session.error();
  }
  if (!*session) return {};
  adopt((*session)->identity, (*session)->saved);
  reader_.clear_suspect();
  for (Finding& notice : (*session)->notices) shared_->add_notice(std::move(notice));
  if ((*session)->refill) return begin_refill(std::move(*(*session)->refill), now);
  begin_streaming(std::move(**session), now);
  return {};
}

void WalSource::adopt(const ServerIdentity& identity, const core::Progress& saved) {
  if (!resumed_) {
    resumed_ = saved;
    reader_.resume_after(std::max(saved.boundary, saved.settled));
    shared_->confirmed.value = saved.boundary.major;  // saved, so it may be told
  }
  shared_->identity = identity;
  shared_->server_is_stopping = false;
}

// While a job makes a slot.
Result<void> WalSource::poll_meanwhile(core::Batch& batch, core::Credit credit, core::Now now) {
  if (std::optional<InterimStart> start = interim_.take_offer()) {
    adopt(start->identity, start->saved);
    attempts_.hold(start->identity, start->epoch);
    shared_->lease.acquired(start->lock_pid, interim_.slot_wait()->lock_seen_at());
    for (Finding& notice : start->notices) shared_->add_notice(std::move(notice));
    shared_->add_notice({Severity::note, "POLLING_MEANWHILE",
                         attempts_.phase() + ". The rows above seq " +
                             std::to_string(std::max(start->delivered_seq, interim_.cursor())) +
                             " are polled meanwhile",
                         ""});
    Result<void> begun = interim_.begin(std::move(*start), reader_.handed(), now);
    shared_->polled_since = core::Lsn{interim_.position(0).major};
    if (!begun) state_ = State::closed;
    if (!begun) return begun;
  }
  shared_->lease.heard(interim_.slot_wait()->lock_seen_at());
  if (!interim_.polling()) return {};
  if (const Result<void> polled = interim_.poll(batch, credit, now); !polled) {
    state_ = State::closed;
    return attempts_.failed(polled.error(), now);
  }
  reader_.resume_after(interim_.handed());
  reader_.note_event(interim_.covered());
  return {};
}

Result<void> WalSource::begin_refill(Refill refill, core::Now now) {
  reader_.skip_polled(interim_.cursor(), interim_.covered());
  state_ = State::refilling;
  shared_->lease.acquired(refill.backend_pid, now.instant);
  streaming_since_ = now.instant;
  return refill_.begin(std::move(refill), interim_.cursor(), options_);
}

Result<void> WalSource::refill(core::Batch& batch, core::Credit credit, core::Now now) {
  if (std::exchange(shared_->server_is_stopping, false)) {
    lose_connection("the server is shutting down", now);
    return {};
  }
  const Result<RefillReader::Step> step = refill_.poll(batch, credit, shared_->confirmed, now);
  reader_.resume_after(refill_.handed());
  if (refill_.rows() > 0) reader_.note_event(core::Lsn{refill_.refill().slot_begins.value - 1});
  if (!step) {
    state_ = State::closed;
    return attempts_.failed(step.error(), now);
  }
  switch (*step) {
    case RefillReader::Step::waiting:
    case RefillReader::Step::read:
      shared_->lease.heard(now.instant);  // the session lives, and with it the pipeline's lock
      break;
    case RefillReader::Step::lost:
      lose_connection(refill_.why(), now);
      break;
    case RefillReader::Step::settled:
      shared_->add_notice({Severity::note, "REFILLED",
                           std::to_string(refill_.rows()) + " rows above seq " +
                               std::to_string(refill_.refill().after_seq) +
                               " were read from the table; those of them that had been delivered "
                               "before came twice. The stream goes on at " +
                               core::to_string(refill_.refill().slot_begins),
                           ""});
      refill_.end();
      shared_->lease.lost();
      state_ = State::connecting;
      break;
  }
  return {};
}

void WalSource::begin_streaming(Session session, core::Now now) {
  reader_.know_server(session.identity.system_id, std::move(session.timelines));
  reader_.begin_session();
  connection_ = std::move(session.replication);
  socket_ = SocketReader(connection_.get());
  nap_ = Nap(is_unix_socket(connection_.get()) ? Nap::kLengthUnix : Nap::kLengthTcp);
  shared_->lease.acquired(session.walsender_pid, now.instant);
  state_ = State::streaming;
  streaming_since_ = heard_at_ = asked_at_ = now.instant;
  status_at_ = nap_until_ = now.instant;
  had_credit_ = true;
  more_at_hand_ = true;
  flush_pending_ = false;
}

WalSource::Drained WalSource::lose_connection(const std::string& why, core::Now now) {
  connection_.reset();
  refill_.end();
  shared_->lease.lost();
  state_ = State::connecting;
  attempts_.lost("lost the replication connection: " + why + "; connecting again",
                 now.instant - streaming_since_, now);
  return Drained::connection_lost;
}

Result<void> WalSource::stream(core::Batch& batch, core::Credit credit, core::Now now) {
  if (std::exchange(shared_->server_is_stopping, false)) {
    lose_connection("the server is shutting down", now);
    return {};
  }
  const bool has_credit = credit.events >= reader_.items_most() && credit.bytes > 0;
  if (has_credit && !had_credit_) heard_at_ = std::max(heard_at_, now.instant);
  had_credit_ = has_credit;
  if (has_credit && now.instant >= nap_until_) {
    const uint64_t events_before = reader_.counters().events;
    const Result<Drained> drained = drain(batch, credit, now);
    if (!drained) {
      state_ = State::closed;
      return attempts_.failed(drained.error(), now);
    }
    if (*drained == Drained::connection_lost) return {};
    after_drain(*drained, reader_.counters().events - events_before, now);
  }
  send_due_status(now);
  return {};
}

Result<WalSource::Drained> WalSource::drain(core::Batch& batch, core::Credit credit,
                                            core::Now now) {
  const size_t first = batch.size();
  size_t bytes = 0;
  while (batch.size() - first + reader_.items_most() <= credit.events && bytes < credit.bytes) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_.get(), &buffer, 1);
    if (size < 0) return lose_connection(stream_error(), now);
    if (size == 0) {
      switch (socket_.read()) {
        case SocketReader::Read::some:
          continue;
        case SocketReader::Read::empty:
          return Drained::socket_empty;
        case SocketReader::Read::lost:
          return lose_connection(first_line(PQerrorMessage(connection_.get())), now);
      }
    }
    socket_.fruitful();
    heard_at_ = now.instant;
    CopyBuffer message(buffer, static_cast<size_t>(size), PQfreemem);
    const size_t items_before = batch.size();
    const Result<ReadStep> step = reader_.read(message, batch);
    if (!step) return step.error();
    if (batch.size() > items_before) bytes += static_cast<size_t>(size);
    if (*step == ReadStep::suspect) {
      attempts_.look_up(reader_.suspect());
      return lose_connection("to look up a table that may be a partition of the outbox", now);
    }
  }
  return Drained::credit_used;
}

void WalSource::after_drain(Drained drained, uint64_t events, core::Now now) {
  if (heard_at_ == now.instant) {
    shared_->lease.heard(now.instant);
    silence_max_ = kSilenceMaxFirst;
  }
  more_at_hand_ = drained == Drained::credit_used;
  if (more_at_hand_) {
    nap_.add(events);
  } else {
    nap_until_ = nap_.drained(now.instant, events);
    acknowledge_now(connection_.get());
  }
  oddities_.tell(reader_.counters(), options_, *shared_);
  for (Finding& notice : reader_.take_notices()) shared_->add_notice(std::move(notice));
}

// The server's last words, if it had any.
std::string WalSource::stream_error() {
  if (PQisBusy(connection_.get()) == 0) {
    const ResultHandle result(PQgetResult(connection_.get()));
    if (result != nullptr && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
      return core::to_string(error_of(result.get(), "the server", "ended it"));
    }
  }
  const std::string text = first_line(PQerrorMessage(connection_.get()));
  return text.empty() ? "the server ended the stream" : text;
}

void WalSource::send_due_status(core::Now now) {
  if (silent_too_long(now)) {
    // A walsender that decodes something huge that is not for us may be silent for long, and each
    // new one would begin it again: be more patient with the next.
    silence_max_ = std::min(silence_max_ * 2, kSilenceMaxLast);
    lose_connection("nothing was heard for too long", now);
    return;
  }
  const bool ask = had_credit_ && now.instant - heard_at_ >= kAskAfterSilence &&
                   now.instant - asked_at_ >= kAskAfterSilence;
  if (reader_.take_reply_requested() || ask || now.instant >= status_at_) {
    if (ask) asked_at_ = now.instant;
    status_at_ = now.instant + kStatusInterval;
    if (!send_status(ask, now) || (!had_credit_ && peer_is_gone(connection_.get()))) {
      lose_connection("the server closed it", now);
    }
    return;
  }
  if (flush_pending_) flush_pending_ = PQflush(connection_.get()) > 0;
}

bool WalSource::send_status(bool ask_reply, core::Now now) {
  const StatusMessage message = status_message(std::max(reader_.received(), shared_->confirmed),
                                               shared_->confirmed, now.wall, ask_reply);
  // 0: libpq's buffer is full, because the server takes nothing; the next status says it all anew.
  const int put =
      PQputCopyData(connection_.get(), message.data(), static_cast<int>(message.size()));
  if (put < 0) return false;
  const int flushed = PQflush(connection_.get());
  flush_pending_ = flushed > 0;
  return flushed >= 0;
}

// Without credit nothing is read, so silence says nothing; the kernel's keepalives watch then.
bool WalSource::silent_too_long(core::Now now) const {
  return had_credit_ && now.instant - heard_at_ >= silence_max_ &&
         now.instant - shared_->lease.seen_at() >= kSeenLately;
}

void WalSource::confirm(const core::Settled& settled) {
  if (is_polled_boundary(settled.low)) return;
  shared_->confirmed.value = std::max(shared_->confirmed.value, settled.low.major);
}

core::Lease WalSource::lease() const { return {attempts_.epoch(), shared_->lease.until()}; }

Interest WalSource::interest(core::Instant now) const {
  Interest interest;
  switch (state_) {
    case State::connecting:
      return interim_.polling() ? interim_.interest(now) : attempts_.interest();
    case State::refilling:
      return refill_.interest(now);
    case State::streaming:
      interest.wake_at = more_at_hand_ && had_credit_ ? now : status_at_;
      interest.writable = flush_pending_;
      interest.readable = had_credit_;
      if (had_credit_ || flush_pending_) interest.fd = PQsocket(connection_.get());
      interest.not_before = nap_until_;
      break;
    case State::closed:
      break;
  }
  return interest;
}

Health WalSource::health() const {
  switch (state_) {
    case State::connecting:
      if (!interim_.polling()) return attempts_.health();
      return {HealthState::ok, interim_.reason(attempts_.phase())};
    case State::refilling:
      return {HealthState::ok, "reading the rows above seq " +
                                   std::to_string(refill_.refill().after_seq) + " again, " +
                                   std::to_string(refill_.rows()) + " so far"};
    case State::streaming:
      return {HealthState::ok, ""};
    case State::closed:
      break;
  }
  return {HealthState::stopped, attempts_.reason()};
}

std::optional<WalSource::Interim> WalSource::interim() const {
  if (!interim_.polling()) return std::nullopt;
  return Interim{interim_.facts(), interim_.position(interim_.facts().last_seq)};
}

std::vector<Finding> WalSource::take_notices() { return std::exchange(shared_->notices, {}); }

void WalSource::close(core::Now now) {
  if (state_ == State::streaming) {
    PGconn* connection = connection_.get();
    PQsetnonblocking(connection, 0);
    if (send_status(false, now) && PQputCopyEnd(connection, nullptr) > 0) await_end_of_stream();
    connection_.reset();
  }
  interim_.end();
  refill_.end();
  shared_->lease.lost();
  state_ = State::closed;
}

// The server answers CopyDone with its own once it has read everything before, our status included.
void WalSource::await_end_of_stream() {
  const core::Instant deadline = std::chrono::steady_clock::now() + kCloseTimeout;
  const EventFd never;
  const Waiter waiter(never);
  while (waiter.wait(PQsocket(connection_.get()), POLLIN, deadline) == Wait::ready) {
    if (PQconsumeInput(connection_.get()) == 0) return;
    char* buffer = nullptr;
    int size = 0;
    while ((size = PQgetCopyData(connection_.get(), &buffer, 1)) > 0) PQfreemem(buffer);
    if (size < 0) return;
  }
}

}  // namespace outbox::postgres
