#pragma once
// What ServerFacts mean: pure judgements, shared by a start and by `outbox doctor`.

#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/finding.h"
#include "relay/core/error.h"

namespace outbox::postgres {

/// Everything that concerns server, role, table and the mode of before, which must be right before
/// publication and slot can be made.
std::vector<Finding> judge_server(const ServerFacts& facts, const PostgresOptions& options);

/// The publication. Its absence is an error only if `must_exist`.
std::vector<Finding> judge_publication(const ServerFacts& facts, const PostgresOptions& options,
                                       bool must_exist);

/// The slot by itself; gap.h has how it agrees with the saved progress.
std::vector<Finding> judge_slot(const ServerFacts& facts, const PostgresOptions& options);

/// How near the slot is to being lost for the WAL it keeps; also asked at every heartbeat.
std::optional<Finding> judge_slot_wal(const std::string& wal_status,
                                      std::optional<int64_t> safe_wal_bytes,
                                      const PostgresOptions& options);

/// The first error among the findings, as what poll() returns.
std::optional<core::Error> first_error(const std::vector<Finding>& findings, const std::string& op);
core::Error to_error(const Finding& finding, const std::string& op);

std::string quote_identifier(const std::string& name);
std::string quote_literal(const std::string& text);
std::string table_sql(const TableName& table);
std::string operations_sql(const PostgresOptions& options);    // what the publication publishes
std::string published_tables(const PostgresOptions& options);  // for people
std::string create_publication_sql(const PostgresOptions& options);

}  // namespace outbox::postgres
