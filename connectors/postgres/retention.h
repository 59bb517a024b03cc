#pragma once
// Retention: removes rows that every registered pipeline has delivered and that are older than
// PostgresOptions::retention, round after round.
//
// Owner: the wiring, beside the source; needs nothing of it. Thread: one of its own, which does all
// the waiting, so that a slow round never holds up a pipeline; facts() and take_notices() may be
// called from any thread. Each round opens a connection and closes it. Constructing touches no
// network; destroying calls a round off and joins the thread.
//
// Several relays and pipelines may do it on one table: one of them at a time gets to work.
//
// How a round removes (detail/removal.h):
//   outbox.event         whole partitions, by outbox.retain(): no dead rows, no lock that an insert
//                        waits for
//   a table with numbers rows at or below what is delivered, by batches
//   a table with status  SENT rows, by `created_at`, by batches; FAIL rows stay
//
// Errors do not stop the pipeline: a notice, and another try with the next round.

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/removal.h"
#include "connectors/postgres/detail/waiter.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

/// For metrics and status.
struct RetentionFacts {
  core::Instant read_at{};       // of the last round that worked; zero: none yet
  std::optional<uint64_t> kept;  // numbers from the oldest row on; absent in a table with status
  uint64_t partitions = 0;       // emptied by this process
  uint64_t rows = 0;             // deleted by this process
  std::string held_by;           // why something that is old enough stays; empty: nothing does
  core::Duration held_for{};
};

/// What stays for longer, although it is old enough, is told in the log and in the status.
inline constexpr core::Duration kRetentionHeldNotice = std::chrono::minutes(10);

class Retention {
 public:
  /// `options.retention` is above zero.
  explicit Retention(PostgresOptions options);
  ~Retention();

  RetentionFacts facts() const;
  std::vector<Finding> take_notices();

  /// How long it rests between two rounds.
  static core::Duration rest(const PostgresOptions& options);

 private:
  bool work(const Waiter& waiter);
  core::Result<Round> run_round(const Waiter& waiter);
  void note(const Round& round);
  void note_failure(const core::Error& error);

  PostgresOptions options_;
  RemovalPlace place_;  // the worker's

  mutable std::mutex mutex_;
  RetentionFacts facts_;          // guarded by mutex_
  std::vector<Finding> notices_;  // guarded by mutex_
  std::string told_;              // guarded by mutex_; the last failure, or that it is held back

  Background<bool> worker_;  // last, so that it ends first
};

}  // namespace outbox::postgres
