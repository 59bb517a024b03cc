#include "connectors/postgres/poll_source.h"

#include <utility>

#include "relay/core/assert.h"

namespace outbox::postgres {

using core::Health;
using core::HealthState;
using core::Interest;
using core::Result;

PollSource::PollSource(PostgresOptions options, core::ChunkPool& pool,
                       std::shared_ptr<SharedSlot> shared)
    : shared_(std::move(shared)),
      reader_(options, pool, shared_),
      attempts_(std::move(options), start_poll_session) {}

PollSource::~PollSource() = default;

Result<void> PollSource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                              core::Now now) {
  OUTBOX_ASSERT(credit.size() == 1);
  switch (state_) {
    case State::connecting:
      return connect(now);
    case State::polling:
      return read(batch, credit[0], now);
    case State::closed:
      return {};
  }
  return {};
}

Result<void> PollSource::connect(core::Now now) {
  Result<std::optional<PollSession>> session = attempts_.poll(now);
  if (session && !*session) return {};
  Result<void> begun = session ? begin_polling(std::move(**session), now) : session.error();
  if (!begun) state_ = State::closed;
  return begun;
}

Result<void> PollSource::begin_polling(PollSession session, core::Now now) {
  const Result<void> begun = reader_.begin(
      std::move(session.connection), std::move(session.statements), session.delivered_seq, now);
  if (!begun) return attempts_.failed(begun.error(), now);
  for (Finding& notice : session.notices) shared_->add_notice(std::move(notice));
  shared_->identity = session.identity;
  shared_->lease.acquired(session.backend_pid, now.instant);
  shared_->server_is_stopping = false;
  state_ = State::polling;
  connected_at_ = now.instant;
  return {};
}

Result<void> PollSource::read(core::Batch& batch, core::Credit credit, core::Now now) {
  if (std::exchange(shared_->server_is_stopping, false)) {
    lose_connection("the server is shutting down", now);
    return {};
  }
  const Result<PollReader::Step> step = reader_.poll(batch, credit, now);
  if (!step) return step.error();
  switch (*step) {
    case PollReader::Step::waiting:
      break;
    case PollReader::Step::heard:
      shared_->lease.heard(now.instant);
      break;
    case PollReader::Step::lost:
      lose_connection(reader_.why(), now);
      break;
  }
  return {};
}

void PollSource::lose_connection(const std::string& why, core::Now now) {
  reader_.end();
  shared_->lease.lost();
  state_ = State::connecting;
  attempts_.handed_out(reader_.cursor());
  attempts_.lost("lost the connection: " + why + "; connecting again", now.instant - connected_at_,
                 now);
}

// ---- what others ask

void PollSource::confirm(const core::Settled&) {}  // what was saved is all that counts

core::Lease PollSource::lease() const { return {attempts_.epoch(), shared_->lease.until()}; }

Interest PollSource::interest(core::Instant now) const {
  switch (state_) {
    case State::connecting:
      return attempts_.interest();
    case State::polling:
      return reader_.interest(now);
    case State::closed:
      break;
  }
  return {};
}

Health PollSource::health() const {
  switch (state_) {
    case State::connecting:
      return attempts_.health();
    case State::polling:
      return {HealthState::ok, reader_.held_back()};
    case State::closed:
      break;
  }
  return {HealthState::stopped, attempts_.reason()};
}

std::vector<Finding> PollSource::take_notices() { return std::exchange(shared_->notices, {}); }

void PollSource::close(core::Now) {
  reader_.end();
  shared_->lease.lost();
  state_ = State::closed;
}

}  // namespace outbox::postgres
