#include "connectors/postgres/detail/copy_statement.h"

#include <algorithm>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/outbox_table.h"

namespace outbox::postgres {
namespace {

constexpr const char* kCreatedAt = "created_at";
constexpr const char* kEnd = ") to stdout (format binary)";
constexpr uint32_t kText = 25;

bool wanted(const std::string& name, const ColumnNames& names) {
  for (size_t role = 0; role < kRoles; ++role) {
    if (column_name(names, static_cast<Role>(role)) == name) return true;
  }
  return std::any_of(names.extras.begin(), names.extras.end(),
                     [&](const ExtraColumn& extra) { return extra.name == name; });
}

}  // namespace

CopyStatement::CopyStatement(const TableFacts& table, const PostgresOptions& options)
    : seq_(quote_identifier(options.columns.seq)) {
  std::string list;
  std::string time = "null::timestamptz";
  for (const TableColumn& column : table.columns) {
    if (column.name == kCreatedAt && column.type == "timestamp with time zone") {
      time = quote_identifier(column.name);
    }
    if (!wanted(column.name, options.columns)) continue;
    // A cast to the type of now: were it altered, the statement would say so.
    list += quote_identifier(column.name) + "::" + column.type + ", ";
    column_names_.push_back(column.name);
    column_types_.push_back(column.is_enum ? kText : column.base_type);
  }
  select_ = "copy (select " + list + time + " from " + table_sql(options.table) + " where " + seq_ +
            " >= ";
}

// ">= 301", not "> 300": the planner does not know that there is no number between the two, and
// would look into a partition that ends before 301, and wait should retention be emptying it.

std::string CopyStatement::rows(uint64_t after, uint64_t horizon, uint64_t limit) const {
  return select_ + std::to_string(after + 1) + " and " + seq_ + " <= " + std::to_string(horizon) +
         " order by " + seq_ + " limit " + std::to_string(limit) + kEnd;
}

std::string CopyStatement::rows_above(uint64_t after) const {
  return select_ + std::to_string(after + 1) + " order by " + seq_ + kEnd;
}

core::Result<void> CopyStatement::describe_to(CopyReader& reader,
                                              const PostgresOptions& options) const {
  std::vector<RelationColumn> columns;
  for (size_t i = 0; i < column_names_.size(); ++i) {
    columns.push_back({column_names_[i], column_types_[i], false});
  }
  return reader.describe(Relation{0, options.table.schema, options.table.name, columns},
                         options.columns);
}

}  // namespace outbox::postgres
