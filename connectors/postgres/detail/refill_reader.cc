#include "connectors/postgres/detail/refill_reader.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/copy_pump.h"
#include "connectors/postgres/detail/sqlstate.h"

namespace outbox::postgres {

namespace {

constexpr core::Duration kLookAtPeer = std::chrono::seconds(1);

}  // namespace

using core::Result;

Result<void> RefillReader::begin(Refill refill, uint64_t after_seq,
                                 const PostgresOptions& options) {
  refill_ = std::move(refill);
  refill_.after_seq = std::max(refill_.after_seq, after_seq);
  socket_ = SocketReader(refill_.connection.get());
  state_ = State::asking;
  handed_out_ = 0;
  handed_ = {};
  more_at_hand_ = true;
  Result<void> described = refill_.statement.describe_to(reader_, options);
  reader_.begin(refill_.after_seq);
  // What fails here is seen when the answer is awaited.
  PQsendQuery(refill_.connection.get(), refill_.statement.rows_above(refill_.after_seq).c_str());
  socket_.flush();
  return described;
}

Result<RefillReader::Step> RefillReader::poll(core::Batch& batch, core::Credit credit,
                                              core::Lsn confirmed, core::Now now) {
  had_credit_ = credit.events > 0 && credit.bytes > 0;
  more_at_hand_ = false;
  if (state_ == State::settling && confirmed >= refill_.slot_begins) return Step::settled;
  if (state_ == State::asking) return await_first_word();
  if (state_ == State::ending) return await_last_word(batch);
  if (state_ == State::settling || !had_credit_) {
    // The lock is ours as long as the server has the session.
    return peer_is_gone(refill_.connection.get()) ? lost("the server closed it") : Step::waiting;
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

// True once libpq can say something without waiting, be it that the connection was lost.
bool RefillReader::answer_ready() {
  while (PQisBusy(refill_.connection.get()) != 0) {
    const SocketReader::Read read = socket_.read();
    if (read == SocketReader::Read::empty) return false;
    if (read == SocketReader::Read::lost) break;
  }
  socket_.fruitful();
  return true;
}

RefillReader::Step RefillReader::await_first_word() {
  if (!answer_ready()) return Step::waiting;
  const ResultHandle result(PQgetResult(refill_.connection.get()));
  if (PQresultStatus(result.get()) != PGRES_COPY_OUT) {
    return lost(result == nullptr ? first_line(PQerrorMessage(refill_.connection.get()))
                                  : core::to_string(error_of(result.get(), "read rows", "again")));
  }
  state_ = State::copying;
  more_at_hand_ = true;
  return Step::read;
}

RefillReader::Step RefillReader::await_last_word(core::Batch& batch) {
  while (true) {
    if (!answer_ready()) return Step::waiting;
    const ResultHandle result(PQgetResult(refill_.connection.get()));
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

RefillReader::Step RefillReader::lost(std::string why) {
  why_ = std::move(why);
  return Step::lost;
}

core::Interest RefillReader::interest(core::Instant now) const {
  core::Interest interest;
  interest.wake_at = now + kLookAtPeer;
  if (state_ == State::settling) return interest;
  if (state_ != State::copying || had_credit_) interest.fd = PQsocket(refill_.connection.get());
  interest.writable = socket_.flush_pending();
  if (more_at_hand_ && had_credit_) interest.wake_at = now;
  return interest;
}

}  // namespace outbox::postgres
