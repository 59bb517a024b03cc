#pragma once
// Removal: one round of retention (retention.h) on a connection of its own. Waits, in a background
// job.
//
// Rows go only if every registered pipeline has them behind it (outbox.progress.delivered_seq,
// which is proven, see proven_horizon.h) and if their numbers were given out long enough ago
// (outbox.retention_mark). A table with status says of each row that it is SENT; its age is
// `created_at`.
//
// A DELETE is short: a batch is a transaction of its own, and the pause after it is several times
// as long as the batch took, so that a round is a small share of the server's work and autovacuum
// keeps up. It also counts as a writer of the table for a poll's horizon (horizon.h), which is held
// back for the length of one batch. A batch that meets a locked row gives up soon.
//
// In a table with numbers a round goes on behind the last row that it deleted: what is dead already
// is not looked at again. A table with status needs no index for it: the round walks through the
// table's blocks, a few at a time.

#include <cstdint>
#include <optional>
#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/options.h"
#include "relay/core/clock.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// How far this process has removed; kept between rounds.
struct RemovalPlace {
  uint64_t after = 0;  // seq: up to here nothing is left
};

struct Round {
  std::optional<uint64_t> kept;
  uint64_t partitions = 0;
  uint64_t rows = 0;
  int64_t freed_bytes = 0;
  std::string held_by;
  core::Duration held_for{};
};

/// The Error's code when another relay or pipeline is doing it.
inline constexpr const char* kOtherAtWork = "RETENTION_ELSEWHERE";

/// What to do about a pipeline or a session that keeps old rows.
inline constexpr const char* kRetentionHeldRemedy =
    "Let the pipeline run, or the session end. A pipeline that is gone for good: set role "
    "outbox_owner; delete from outbox.progress where pipeline = '<name>';";

core::Result<Round> remove_old(Connection& sql, const PostgresOptions& options, RemovalPlace& place,
                               const Waiter& waiter);

}  // namespace outbox::postgres
