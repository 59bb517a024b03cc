#pragma once
// ProvenHorizon: up to which sequence number every committed row is settled, while events come from
// the WAL. Its progress is an LSN and the table knows only numbers; the highest number delivered
// proves nothing, since a transaction that drew a low one may still commit.
//
// So: S = the horizon that a poll would have, then L = the WAL's insert position, in this order.
// Who may still commit rows at or below S has ended, and its commit record lies before L. Once
// everything before L is settled, so is every committed row at or below S. Polling, refill,
// retention and the status view go by this number and nothing else (outbox.progress.delivered_seq).
//
// Pure. Owned by ProgressStore; told in the order of time.

#include <cstdint>
#include <optional>

#include "connectors/postgres/detail/horizon.h"
#include "connectors/postgres/detail/look.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

class ProvenHorizon {
 public:
  /// A new connection: no holder is known.
  void begin();

  void looked(const Look& look);

  /// Everything before `settled` is settled. The highest number that is proven, once there is one.
  std::optional<uint64_t> prove(core::Lsn settled);

 private:
  struct Claim {
    uint64_t seq = 0;
    core::Lsn lsn;
  };

  Horizon horizon_;
  std::optional<Claim> claim_;  // waits for its LSN; newer ones wait behind it
  std::optional<uint64_t> proven_;
};

}  // namespace outbox::postgres
