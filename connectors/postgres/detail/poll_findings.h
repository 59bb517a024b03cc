#pragma once
// What a table must be like to be polled, and whether a pipeline may change its mode: pure
// judgements, part of judge_server() (findings.h).

#include <optional>
#include <vector>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// What the horizon stands on (horizon.h): every row is numbered by a sequence, in its own insert,
/// after the lock.
std::vector<Finding> judge_sequence(const TableFacts& table, const PostgresOptions& options);

/// What one mode saved says nothing to the other yet, and beginning anew would leave rows out.
std::optional<Finding> judge_mode(const ServerFacts& facts, const PostgresOptions& options);

}  // namespace outbox::postgres
