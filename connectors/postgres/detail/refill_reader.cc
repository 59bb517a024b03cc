#include "connectors/postgres/detail/refill_reader.h"

#include <poll.h>

#include <utility>

#include "connectors/postgres/detail/copy_pump.h"
#include "connectors/postgres/detail/sqlstate.h"

namespace outbox::postgres {

namespace {

constexpr core::Duration kLookAtPeer = std::chrono::seconds(1);

}  // namespace

using core::Result;

Result<void> RefillReader::begin(Refill refill, const PostgresOptions& options) {
  refill_ = std::move(refill);
  socket_ = SocketReader(refill_.connection.get());
  state_ = State::copying;
  handed_out_ = 0;
  handed_ = {};
  more_at_hand_ = true;
  Result<void> described = refill_.statement.describe_to(reader_, options);
  reader_.begin(refill_.after_seq);
  return described;
}

Result<RefillReader::Step> RefillReader::poll(core::Batch& batch, core::Credit credit,
                                              core::Lsn confirmed, core::Now now) {
  had_credit_ = credit.events > 0 && credit.bytes > 0;
  more_at_hand_ = false;
  if (state_ == State::settling && confirmed >= refill_.slot_begins) return Step::settled;
  if (state_ == State::ending) return await_last_word(batch);
  if (state_ == State::settling || !had_credit_) {
    return peer_is_gone() ? lost("the server closed it") : Step::waiting;
  }
  const size_t first = batch.size();
  const Result<Pumped> pumped =
      pump_copy(refill_.connection.get(), socket_, reader_, batch, credit, now.wall);
  if (!pumped) return pumped.error();
  for (size_t i = first; i < batch.size(); ++i) {
    batch[i].event.position = handed_ = {refill_.slot_begins.value - 1, ++handed_out_};
  }
  switch (*pumped) {
    case Pumped::credit_used:
      more_at_hand_ = true;
      return Step::read;
    case Pumped::socket_empty:
      return batch.size() > first ? Step::read : Step::waiting;
    case Pumped::lost:
      return lost(first_line(PQerrorMessage(refill_.connection.get())));
    case Pumped::ended:
      break;
  }
  state_ = State::ending;
  return await_last_word(batch);
}

RefillReader::Step RefillReader::await_last_word(core::Batch& batch) {
  PGconn* connection = refill_.connection.get();
  while (true) {
    while (PQisBusy(connection) != 0) {
      switch (socket_.read()) {
        case SocketReader::Read::some:
          continue;
        case SocketReader::Read::empty:
          return Step::waiting;
        case SocketReader::Read::lost:
          return lost(first_line(PQerrorMessage(connection)));
      }
    }
    socket_.fruitful();
    const ResultHandle result(PQgetResult(connection));
    if (result == nullptr) break;
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
      return lost(core::to_string(error_of(result.get(), "read rows", "again")));
    }
  }
  state_ = State::settling;
  core::Item& item = batch.emplace_back();
  item.kind = core::ItemKind::boundary;
  item.event.position = handed_ = {refill_.slot_begins.value, 0};
  return Step::read;
}

// Nothing is read meanwhile; the lock is ours as long as the server has the session.
bool RefillReader::peer_is_gone() const {
  pollfd request{PQsocket(refill_.connection.get()), POLLRDHUP, 0};
  return ::poll(&request, 1, 0) > 0 && (request.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

RefillReader::Step RefillReader::lost(std::string why) {
  why_ = std::move(why);
  return Step::lost;
}

core::Interest RefillReader::interest(core::Instant now) const {
  core::Interest interest;
  interest.wake_at = now + kLookAtPeer;
  if (state_ == State::settling) return interest;
  if (state_ == State::ending || had_credit_) interest.fd = PQsocket(refill_.connection.get());
  if (more_at_hand_ && had_credit_) interest.wake_at = now;
  return interest;
}

}  // namespace outbox::postgres
