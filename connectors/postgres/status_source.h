#pragma once
// StatusSource: rows with status READY out of the table itself, marked SENT or FAIL when they are
// settled (mode = "poll" with a status column). Works on an existing table, needs no schema of
// ours. One stream; positions are (n, 0), n counting what this process handed out.
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's;
// connecting runs in a worker thread inside. The chunk pool outlives the source.
//
// One session does everything in turn, and nothing waits for it:
//   shards  Keys are divided into shards, each an advisory lock of this session. Every second it
//           looks who holds what, takes what is free up to its share and gives away what is too
//           much (shard_share.h). A shard has one reader at a time (invariant 8).
//   read    READY rows of its shards, without those that are open (status_queries.h has the
//           argument for their order). Rows wait here until the server has flushed what they are
//           made of, and then for credit (held_rows.h).
//   mark    what the pipeline saves, asked through SharedMarks. Only the session that holds the
//           locks can do it, so a relay that lost them cannot mark.
//   count   READY rows, for lag; as often as it is cheap.
//
// After a loss of the connection, and with it of all locks, the lease is over. What was handed out
// stays open: it is not read again, and is marked once there is a session. That is the truth even
// if another relay had the shard meanwhile: the row was delivered, and "and status = 'READY'"
// leaves alone what the other one marked. Both send each key's rows in order from its first READY
// one, so the first arrivals are in order whatever is repeated (invariant 4).
//
// How often: at once while there is more, every 2 ms while events come, then more and more rarely
// up to `poll_interval_most`, and never more than half of the time.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/held_rows.h"
#include "connectors/postgres/detail/marking.h"
#include "connectors/postgres/detail/open_rows.h"
#include "connectors/postgres/detail/poll_pace.h"
#include "connectors/postgres/detail/session_attempts.h"
#include "connectors/postgres/detail/shard_share.h"
#include "connectors/postgres/detail/shared_marks.h"
#include "connectors/postgres/detail/slot_lease.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "connectors/postgres/detail/status_reader.h"
#include "connectors/postgres/detail/status_session.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"
#include "relay/core/lease.h"
#include "relay/core/source.h"

namespace outbox::postgres {

/// What the last count saw, for metrics and status.
struct StatusFacts {
  core::Instant read_at{};  // zero: none came back yet
  uint64_t newest = 0;      // the number that the last READY row will have at the least
};

class StatusSource final : public core::Source {
 public:
  StatusSource(PostgresOptions options, core::ChunkPool& pool, std::shared_ptr<SharedMarks> shared);
  ~StatusSource() override;

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled&) override {}  // what was marked is all that counts
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  /// The epoch is the server's time at which the newest shard was taken: whoever takes a key over
  /// has a higher one.
  core::Lease lease() const { return {epoch_, lease_.until()}; }
  const StatusFacts& facts() const { return facts_; }
  uint64_t reconnects() const { return attempts_.reconnects(); }
  size_t shards_held() const { return share_.held(); }
  std::vector<Finding> take_notices() { return std::exchange(notices_, {}); }

  /// Gives all shards back. Nothing comes out afterwards.
  void close(core::Now now);

 private:
  enum class State : uint8_t {
    connecting,
    resting,
    looking,    // who holds which shard
    taking,     // shards that are free
    releasing,  // a drained one
    reading,
    flushing,
    marking,
    counting,
    closed,
  };

  core::Result<void> connect(core::Now now);
  core::Result<void> begin(StatusSession session, core::Now now);
  void lose_connection(const std::string& why, core::Now now);

  void rest(core::Now now);
  bool read_wanted() const;
  void ask(const std::string& query, State next, core::Now now);
  void ask_mark(core::Now now);
  void go_on_marking(core::Now now);
  void asked(bool sent, State next, core::Now now);
  core::Result<void> await_answer(core::Now now);
  core::Result<void> read_copy(core::Now now);
  core::Result<void> on_row(CopyBuffer& message, core::Now now);
  core::Result<void> on_answer(core::Now now);
  void on_locks(core::Now now);
  void on_taken(core::Now now);
  void on_read(core::Now now);
  void on_counted(core::Now now);
  void marked();
  uint64_t asked_number() const;
  bool may_hand_out() const;
  void hand_out(core::Batch& batch, core::Credit credit);
  void add_boundary(core::Batch& batch) const;
  bool read_socket(core::Now now);
  void tell_shards();

  PostgresOptions options_;
  std::shared_ptr<SharedMarks> shared_;
  StatusReader reader_;
  PollPace pace_;
  ShardShare share_;
  OpenRows open_;
  SlotLease lease_;
  uint64_t epoch_ = 0;
  StatusFacts facts_;
  std::vector<Finding> notices_;

  State state_ = State::connecting;

  // While connected.
  ConnectionHandle connection_;
  SocketReader socket_;
  StatusQueries queries_;
  std::vector<Rows> answers_;  // of the statements at hand
  bool unannounced_ = false;   // where it begins, to whoever measures lag
  bool has_credit_ = false;
  bool in_copy_ = false;
  core::Instant connected_at_{};
  core::Instant asked_at_{};
  core::Instant heard_at_{};
  core::Instant look_at_{};
  core::Instant read_at_{};
  core::Instant count_at_{};
  Marking marking_;
  uint32_t releasing_ = 0;        // the shard
  std::vector<uint32_t> wanted_;  // shards to try

  HeldRows held_;
  bool held_flushed_ = false;  // no crash takes them back

  SessionAttempts<StatusSession> attempts_;
};

}  // namespace outbox::postgres
