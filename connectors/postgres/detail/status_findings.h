#pragma once
// What a table must be like for Mode::status: pure judgements, part of judge_server() (findings.h).

#include <vector>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// Columns of the right types, the rights to mark, and what makes it fast. The columns of an event
/// are judged with those of the other modes.
std::vector<Finding> judge_marking(const ServerFacts& facts, const PostgresOptions& options);

}  // namespace outbox::postgres
