#pragma once
// Session: everything between "no connection" and "the walsender streams", in one background job.
//
// The order is the safety of a start. The slot is acquired by START_REPLICATION, and Postgres gives
// it to one walsender only; whoever has it takes the next epoch, so that saves of an earlier holder
// are refused; only then is progress read and compared with the slot; nothing of the stream is read
// before. The walsender is asked to begin at the progress of a first look, taken before the slot
// was acquired: should it be lower after, the attempt is given up. A reconnect takes no epoch but
// checks that ours is still the newest: else another relay was here meanwhile and this one must
// stop (invariant 8).
//
// Where the slot does not bring what progress says comes next, the session brings rows of the table
// first (gap.h, refill.h). While the new slot is waited for, they are polled (interim_poll.h).
//
// At a pipeline's first start (nothing was ever saved for it) the publication is made if it is
// missing, then the slot, in this order always: a slot that is older than its publication cannot be
// read.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/refill.h"
#include "connectors/postgres/detail/timelines.h"
#include "connectors/postgres/options.h"
#include "relay/core/checkpoint.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// What the job is doing, for health(); written by the job, read by the pipeline.
class Phase {
 public:
  void set(std::string text);
  std::string get() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

class SlotWait;

struct Session {
  ConnectionHandle replication;  // streaming, in non-blocking mode; null with a refill
  std::optional<Refill> refill;  // then rows come first, and the stream with the next session
  ServerIdentity identity;
  Timelines timelines;  // with captures only
  int walsender_pid = 0;
  uint64_t epoch = 0;
  core::Progress saved;
  std::vector<Finding> notices;  // warnings, and what was made
};

struct SessionRequest {
  PostgresOptions options;

  /// What an earlier session of this process held; nothing at a start.
  struct Held {
    ServerIdentity identity;
    uint64_t epoch = 0;
    core::Lsn handed;         // events and boundaries up to here were handed out
    core::Lsn last_event;     // commit LSN of the last event among them
    uint64_t handed_seq = 0;  // polling: rows with seq up to here were handed out
  };
  std::optional<Held> held;

  /// A relation that looked like a partition of the outbox (WalReader); zero: none.
  uint32_t suspect = 0;

  /// Where a slot that is waited for lets the pipeline poll meanwhile (slot_wait.h).
  std::shared_ptr<SlotWait> slot_wait = nullptr;
};

/// Runs on a worker thread. A fatal Error ends the pipeline; one with Fault::retry is tried again,
/// how soon says trouble_of(error.code).
core::Result<Session> start_session(const SessionRequest& request, Phase& phase,
                                    const Waiter& waiter);

/// "outbox orders", for pg_stat_activity.
std::string application_name(const PostgresOptions& options);

}  // namespace outbox::postgres
