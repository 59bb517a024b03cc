#pragma once
// ReconnectDelay: how long to wait before the next attempt to connect. The limit of the backoff
// stays low, because seven attempts a second cost a server nothing and recovery is to take less
// than a second, the session's start included. The first attempt after a loss goes at once, unless
// the connection that was lost had lived only a moment: otherwise a server that ends each session
// right away would be stormed.
//
// Pure; the caller brings the time.

#include <cstdint>

#include "connectors/postgres/detail/sqlstate.h"
#include "relay/core/backoff.h"
#include "relay/core/clock.h"

namespace outbox::postgres {

class ReconnectDelay {
 public:
  static constexpr core::Duration kFirstLimit = std::chrono::milliseconds(50);
  static constexpr core::Duration kLastLimit = std::chrono::milliseconds(300);
  /// A password or a grant is mended by a person, and failed logins may lock an account.
  static constexpr core::Duration kAccessDelay = std::chrono::seconds(30);
  static constexpr core::Duration kAccessSpread = std::chrono::seconds(1);
  static constexpr core::Duration kSlotDelay = std::chrono::seconds(1);
  /// A session that lived this long counts as healthy.
  static constexpr core::Duration kHealthyAfter = std::chrono::seconds(5);

  explicit ReconnectDelay(uint64_t seed)
      : backoff_(kFirstLimit, kLastLimit, seed), random_(seed + 1) {}

  /// The delay after an attempt that failed with `trouble`.
  core::Duration after_failure(Trouble trouble);

  /// The delay after a session that had lived `lived` was lost.
  core::Duration after_loss(core::Duration lived);

 private:
  core::Backoff backoff_;
  core::Random random_;  // keeps apart those who wait for a person
};

}  // namespace outbox::postgres
