#pragma once
// SharedSlot: what the two connections of one pipeline tell each other. The walsender's side
// (WalSource) and the SQL side (ProgressStore) both live on the pipeline's thread; neither knows
// the other.

#include <cstdint>
#include <optional>
#include <vector>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/slot_lease.h"
#include "relay/core/clock.h"

namespace outbox::postgres {

struct SharedSlot {
  /// Written by WalSource; a heartbeat renews it.
  SlotLease lease;

  /// Who the server is; written by WalSource before the first event comes out.
  ServerIdentity identity;

  /// The server takes no new connections because it is shutting down. It waits for its walsenders,
  /// and they for confirmations that can no longer be saved: the source must let go. Written by
  /// ProgressStore, taken by WalSource.
  bool server_is_stopping = false;

  /// What was confirmed to the walsender so far; written by WalSource.
  core::Lsn confirmed;

  /// The LSN of the positions of rows that were polled while a slot was waited for; written by
  /// WalSource.
  std::optional<core::Lsn> polled_since;

  /// For the log; WalSource gives them out. Bounded: the oldest make room.
  std::vector<Finding> notices;
  void add_notice(Finding notice) {
    constexpr size_t kNoticesMax = 32;
    if (notices.size() == kNoticesMax) notices.erase(notices.begin());
    notices.push_back(std::move(notice));
  }
};

}  // namespace outbox::postgres
