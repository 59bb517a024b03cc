#pragma once
// SlotLease: until when this process may act for the slot. Postgres gives a slot to one walsender
// only, so whoever hears from its walsender holds it. Hearing is a message on the replication
// connection or, as that socket is not read while there is no credit, a heartbeat's answer that
// names our walsender as the slot's active_pid. A lost connection ends the lease at once.
//
// Pure; belongs to the pipeline's thread. Shared by WalSource, which streams, and ProgressStore,
// whose heartbeat sees the slot from outside.

#include <algorithm>
#include <string>

#include "relay/core/clock.h"

namespace outbox::postgres {

class SlotLease {
 public:
  /// Shorter than Postgres's wal_sender_timeout (60 s by default): a partitioned relay stops before
  /// the server frees the slot for another one.
  static constexpr core::Duration kLength = std::chrono::seconds(10);

  void acquired(int walsender_pid, core::Instant now) {
    walsender_pid_ = walsender_pid;
    until_ = now + kLength;
  }
  void lost() {
    walsender_pid_ = 0;
    until_ = core::Instant{};
  }
  void heard(core::Instant now) {
    if (held()) until_ = std::max(until_, now + kLength);
  }

  /// A heartbeat that was sent at `asked_at` saw `active_pid` on the slot.
  void seen_from_outside(int active_pid, core::Instant asked_at) {
    if (!held() || active_pid != walsender_pid_) return;
    until_ = std::max(until_, asked_at + kLength);
    seen_at_ = asked_at;
  }

  bool held() const { return walsender_pid_ != 0; }
  core::Instant until() const { return until_; }

  /// When a heartbeat last saw our walsender on the slot: it lives, even if it sends nothing.
  core::Instant seen_at() const { return seen_at_; }

 private:
  int walsender_pid_ = 0;
  core::Instant until_{};
  core::Instant seen_at_{};
};

}  // namespace outbox::postgres
