#pragma once
// What `outbox doctor` says of retention and of the room that is left in the partitions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

struct RetentionState {
  std::optional<int64_t> numbers_left;  // in the partitions made ahead; absent: not outbox.event
  int64_t partitions_ready = 0;         // that the next round would empty
  int64_t held_seconds = 0;             // since something that is old enough cannot go
  std::string slowest;                  // the pipeline that has delivered least, in words
};

/// For a schema that has retention; no marks are made.
core::Result<RetentionState> read_retention_state(Connection& sql, const PostgresOptions& options,
                                                  const Waiter& waiter);

/// Pure. `state`: absent where the schema has no retention.
std::vector<Finding> judge_retention(const ServerFacts& facts,
                                     const std::optional<RetentionState>& state,
                                     const PostgresOptions& options);

}  // namespace outbox::postgres
