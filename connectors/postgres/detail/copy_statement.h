#pragma once
// CopyStatement: the COPY that reads rows of the outbox table in the order of their numbers, made
// for this table once, with the columns that an event needs. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

class CopyStatement {
 public:
  CopyStatement() = default;
  CopyStatement(const TableFacts& table, const PostgresOptions& options);

  /// Rows with after < seq <= horizon, the lowest `limit` of them.
  std::string rows(uint64_t after, uint64_t horizon, uint64_t limit) const;

  /// Every row with after < seq.
  std::string rows_above(uint64_t after) const;

  /// Makes `reader` expect the columns that this statement brings.
  core::Result<void> describe_to(CopyReader& reader, const PostgresOptions& options) const;

 private:
  std::string select_;  // "copy (select ... where seq > "
  std::string seq_;     // the column, quoted
  std::vector<std::string> column_names_;
  std::vector<uint32_t> column_types_;
};

}  // namespace outbox::postgres
