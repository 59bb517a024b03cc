#pragma once
// What no slot brings any more, and whether the table can bring it instead. Pure judgements, shared
// by a start and by `outbox doctor`.
//
// A gap lies between saved progress and slot when the slot is gone, was invalidated, starts beyond
// what was saved (made anew or moved by hand), or when the pipeline was polled until now. The rows
// of it are in the table, above `delivered_seq`: refill.h reads them again. What was emitted
// without a row is not, nor what was dropped from the table.

#include <optional>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {

/// Nothing where the slot serves, and at a first start. A warning: the next start closes the gap by
/// itself, with repeats. An error: it cannot, and why.
std::optional<Finding> judge_gap(const ServerFacts& facts, const PostgresOptions& options);

}  // namespace outbox::postgres
