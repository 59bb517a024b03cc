#pragma once
// SlotWait: what the job that waits for its new slot and the pipeline's thread tell each other, so
// that the table is polled meanwhile (interim_poll.h). The job offers a connection to poll on, and
// says when it last saw that the pipeline's lock is ours.
//
// Owner: both sides, shared. Thread: each side calls its own functions, at any time.

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/poll_session.h"
#include "connectors/postgres/detail/server_facts.h"
#include "relay/core/checkpoint.h"
#include "relay/core/clock.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

/// All that polling needs while the slot is waited for.
struct InterimStart {
  ConnectionHandle connection;  // in non-blocking mode; the lock is another session's
  PollStatements statements;
  ServerIdentity identity;  // its WAL ended here, durably, before the slot was begun
  uint64_t epoch = 0;
  int lock_pid = 0;  // of the session that holds the pipeline's lock
  core::Progress saved;
  uint64_t delivered_seq = 0;
  std::vector<Finding> notices;  // what the job has to tell so far
};

class SlotWait {
 public:
  // The job's side.

  /// Nobody polls: nothing was offered yet, or the connection was lost.
  bool wanted() const {
    const std::lock_guard lock(mutex_);
    return wanted_;
  }
  void offer(InterimStart start) {
    const std::lock_guard lock(mutex_);
    offered_.emplace(std::move(start));
    wanted_ = false;
  }
  /// The session that holds the lock answered what it was asked at `asked_at`.
  void lock_seen(core::Instant asked_at) {
    const std::lock_guard lock(mutex_);
    lock_seen_at_ = asked_at;
  }

  // The pipeline's side.

  std::optional<InterimStart> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(offered_, std::nullopt);
  }
  void ask_again() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  core::Instant lock_seen_at() const {
    const std::lock_guard lock(mutex_);
    return lock_seen_at_;
  }
  /// The job has ended: what it still offers is of no use.
  void clear() {
    const std::lock_guard lock(mutex_);
    offered_.reset();
    wanted_ = true;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<InterimStart> offered_;  // the rest is guarded by mutex_
  bool wanted_ = true;
  core::Instant lock_seen_at_{};
};

}  // namespace outbox::postgres
