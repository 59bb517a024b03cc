#pragma once
// RefillReader: hands the rows of a Refill out and knows when all of them are settled.
//
// Owner: WalSource. Thread: the pipeline's. The chunk pool outlives it.
//
// Positions are those of a transaction that ended right before the slot began: (begin - 1, count).
// They lie above all that was handed out before, below all that the slot brings, and are in order.

#include <cstdint>
#include <string>

#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/refill.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "relay/core/health.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class RefillReader {
 public:
  explicit RefillReader(core::ChunkPool& pool) : reader_(pool) {}

  /// Asks for the rows above `after_seq`, up to which every committed row was handed out: not
  /// below the refill's own.
  core::Result<void> begin(Refill refill, uint64_t after_seq, const PostgresOptions& options);

  enum class Step : uint8_t {
    waiting,
    read,     // something came
    settled,  // every row is settled and that is saved: the stream may begin
    lost,     // why() says it
  };

  /// `confirmed`: how far the pipeline's saved progress is. After the last row comes the boundary
  /// at the slot's begin. An Error is fatal.
  core::Result<Step> poll(core::Batch& batch, core::Credit credit, core::Lsn confirmed,
                          core::Now now);

  /// The position of the last row handed out; the boundary's after the last.
  core::Position handed() const { return handed_; }

  void end() { refill_ = Refill{}; }

  const Refill& refill() const { return refill_; }
  uint64_t rows() const { return reader_.rows(); }
  const std::string& why() const { return why_; }

  core::Interest interest(core::Instant now) const;

 private:
  enum class State : uint8_t { asking, copying, ending, settling };

  Step await_first_word();
  bool answer_ready();
  Step await_last_word(core::Batch& batch);
  Step lost(std::string why);

  Refill refill_;
  SocketReader socket_;
  CopyReader reader_;
  State state_ = State::asking;
  uint64_t handed_out_ = 0;
  core::Position handed_;
  bool had_credit_ = false;
  bool more_at_hand_ = false;
  std::string why_;
};

}  // namespace outbox::postgres
