#pragma once
// PollSource: outbox inserts out of the table itself, without replication rights and without an
// update of any row (`mode = "poll"`). One stream; positions are (seq, 0).
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's;
// connecting runs in a worker thread inside. The chunk pool outlives the source.
//
// A poll, never one statement (horizon.h has the argument):
//   1. look: the sequence's last value, then who may still commit rows; of these the Horizon makes
//      the number up to which nothing can come any more. With it the insert and flush positions of
//      the WAL.
//   2. flush, only if something is to be read and the flush position is behind the insert position:
//      a row of an asynchronous commit that a crash takes back was never there (invariant 2), and
//      its number would be given to another. Whoever is no holder any more wrote its commit record
//      before the look, so the insert position read there covers every row up to the horizon.
//   3. rows up to the horizon by COPY, in order, as many as there is credit for. They are final:
//      what does not fit is read next, without looking again.
// After the last row comes a boundary at the horizon, so that numbers of rolled back transactions
// pass too.
//
// How often: at once while there is more, every 2 ms while events come, then more and more rarely
// up to `poll_interval_most`. Never NOTIFY: it makes commits wait for one another.
//
// Without credit it looks once a second, to keep its lease and to know the lag, and reads no rows.
// A COPY that waits for credit keeps a snapshot open, which keeps vacuum from its work; after 5 s
// it is given up with its connection, and its rows are read again later.
//
// After a loss of the connection nobody is known as a holder, and the horizon begins at the cursor:
// all up to there was durable before it was handed out. A sequence that stands below it moved back:
// fatal, since its next rows would never be seen.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/horizon.h"
#include "connectors/postgres/detail/look.h"
#include "connectors/postgres/detail/poll_pace.h"
#include "connectors/postgres/detail/poll_session.h"
#include "connectors/postgres/detail/session_attempts.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"
#include "relay/core/lease.h"
#include "relay/core/source.h"

namespace outbox::postgres {

/// What a poll saw last, for metrics and status.
struct PollFacts {
  core::Instant read_at{};  // zero: no poll came back yet
  uint64_t last_seq = 0;    // the sequence's last value then
  uint64_t horizon = 0;
  std::string held_back_by;  // who keeps the horizon below last_seq; empty: nobody
  core::Instant held_back_since{};
};

/// A holder that keeps events back for longer is told in the log.
inline constexpr core::Duration kHeldBackNotice = std::chrono::seconds(10);

class PollSource final : public core::Source {
 public:
  PollSource(PostgresOptions options, core::ChunkPool& pool, std::shared_ptr<SharedSlot> shared);
  ~PollSource() override;

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  core::Lease lease() const;
  const PollFacts& facts() const { return facts_; }
  uint64_t reconnects() const { return attempts_.reconnects(); }
  std::vector<Finding> take_notices();

  /// Gives the pipeline's lock back. Nothing comes out afterwards.
  void close(core::Now now);

 private:
  enum class State : uint8_t {
    connecting,
    resting,  // until the next look, or for credit
    looking,
    flushing,
    copying,
    ending,  // every row came; the server's last word is awaited
    closed,
  };

  core::Result<void> connect(core::Now now);
  core::Result<void> begin_polling(PollSession session, core::Now now);
  void lose_connection(const std::string& why, core::Now now);

  core::Result<void> rest(core::Now now);
  void ask(const std::string& query, State next, core::Now now);
  core::Result<void> await_answer(core::Batch& batch, core::Now now);
  core::Result<void> on_answer(core::Batch& batch, core::Now now);
  core::Instant give_up_at() const;
  void give_up_if_late(core::Now now);
  core::Result<void> on_look(core::Now now);
  void start_copy(core::Now now);
  core::Result<void> copy(core::Batch& batch, core::Credit credit, core::Now now);
  void end_copy(core::Batch& batch, core::Now now);
  core::Result<void> refused(const PGresult* result, core::Now now);
  void add_boundary(core::Batch& batch) const;
  bool answer_ready(core::Now now);
  bool read_socket(core::Now now);
  void note_look(const Look& look, core::Now now);
  core::Error moved_back(uint64_t last_value) const;
  std::string held_back_reason() const;

  PostgresOptions options_;
  std::shared_ptr<SharedSlot> shared_;
  CopyReader reader_;
  Horizon horizon_;
  PollPace pace_;

  State state_ = State::connecting;
  uint64_t cursor_ = 0;  // everything up to here was handed out
  PollFacts facts_;

  // While connected.
  ConnectionHandle connection_;
  SocketReader socket_;
  std::string look_;
  std::string flush_;
  CopyStatement rows_;
  bool unannounced_ = false;  // where it begins, to whoever measures lag
  bool has_credit_ = false;
  bool more_at_hand_ = false;  // the last poll ended by its credit, not by an empty socket
  core::Instant connected_at_{};
  core::Instant heard_at_{};
  core::Instant look_at_{};
  std::vector<Rows> answers_;  // of the look at hand
  bool held_back_told_ = false;
  bool copy_began_ = false;    // the server has begun to send
  uint64_t copy_horizon_ = 0;  // of the COPY at hand

  SessionAttempts<PollSession> attempts_;
};

}  // namespace outbox::postgres
