#pragma once
// What the outbox table must be like, ours or one that a team already has: pure judgements, part of
// judge_server() (findings.h).

#include <vector>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// outbox.event, which has roles and functions of its own.
bool is_our_table(const TableName& table);

/// Columns, how rows leave it, and what would stop the server. A column that is missing is looked
/// for under the names that other outbox tables use, and the remedy says what to write.
std::vector<Finding> judge_table(const ServerFacts& facts, const PostgresOptions& options);

}  // namespace outbox::postgres
