#pragma once
// CaptureFacts: what Postgres says about the business tables of the config, and about every table
// of the publication that it would break. capture_findings.h judges them.

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/options.h"
#include "relay/core/result.h"

namespace outbox::postgres {

struct CapturedColumnFacts {
  std::string name;
  bool identity = false;   // part of the replica identity
  bool generated = false;  // never in the WAL stream
};

struct CapturedTableFacts {
  TableName table;
  uint32_t oid = 0;  // 0: there is no such table, and the rest says nothing
  bool partitioned = false;
  bool unlogged = false;
  bool owned = false;  // by a role that this login may act as
  bool published = false;
  bool filtered = false;  // the publication leaves rows out
  bool identity_full = false;
  std::string odd_partition;  // one with another replica identity than the table; "" if none
  std::vector<CapturedColumnFacts> columns;
};

struct CaptureFacts {
  std::vector<CapturedTableFacts> tables;
  /// Tables of the publication, the wanted ones too, whose updates and deletes Postgres refuses
  /// once they are published, as SQL names them.
  std::vector<std::string> without_identity;
};

/// The tables that the rules name, each once.
std::vector<TableName> captured_tables(const PostgresOptions& options);

/// `outbox_table`: its oid, 0 if it is missing.
core::Result<CaptureFacts> read_capture_facts(Connection& sql, const PostgresOptions& options,
                                              uint32_t outbox_table, const Waiter& waiter);

}  // namespace outbox::postgres
