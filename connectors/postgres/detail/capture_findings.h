#pragma once
// What the facts about business tables mean for the rules of the config, with the SQL that mends
// it. Pure; shared by a start and by `outbox doctor`.
//
// One of them is about others than us: a publication with updates or deletes makes Postgres refuse
// those of every table in it that has no replica identity. Such a publication is never made, and
// the SQL given never makes one.

#include <vector>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// Nothing without captures, unless the publication is to be made with updates (on_update).
std::vector<Finding> judge_captures(const ServerFacts& facts, const PostgresOptions& options);

}  // namespace outbox::postgres
