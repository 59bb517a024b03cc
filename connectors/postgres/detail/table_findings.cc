#include "connectors/postgres/detail/table_findings.h"

#include <algorithm>
#include <string>
#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/outbox_table.h"
#include "connectors/postgres/detail/poll_findings.h"
#include "connectors/postgres/detail/status_findings.h"
#include "connectors/postgres/detail/status_queries.h"

namespace outbox::postgres {
namespace {

constexpr const char* kMapByHand =
    "Name the table's columns in [source.<name>.columns], and start again: nothing is lost";

bool names_column(const TableFacts& table, const std::string& name) {
  return std::any_of(table.columns.begin(), table.columns.end(),
                     [&](const TableColumn& column) { return column.name == name; });
}

struct OtherNames {
  Role role;
  std::vector<std::string> names;
};

// What to write, when the columns that are missing are there under names that others use.
std::string mapping_for(const TableFacts& table, const PostgresOptions& options) {
  static const OtherNames kOthers[] = {
      {Role::id, {"id", "event_id", "eventid", "message_id"}},
      {Role::aggregate_type, {"aggregatetype", "aggregate_type", "aggregate"}},
      {Role::aggregate_id, {"aggregateid", "aggregate_id", "event_key", "key"}},
      {Role::event_type, {"type", "event_type", "eventtype"}},
      {Role::payload, {"payload", "data", "body"}}};
  std::string lines;
  for (const OtherNames& others : kOthers) {
    const std::string& name = column_name(options.columns, others.role);
    if (name.empty() || names_column(table, name)) continue;
    if (others.role == Role::payload && names_column(table, options.columns.payload_bytes))
      continue;
    const auto found = std::find_if(others.names.begin(), others.names.end(),
                                    [&](const auto& other) { return names_column(table, other); });
    const bool optional = others.role != Role::id && others.role != Role::payload;
    if (found == others.names.end() && !optional) return kMapByHand;
    lines += std::string(lines.empty() ? "" : ", ") + role_name(others.role) + " = \"" +
             (found == others.names.end() ? "" : *found) + "\"";
  }
  if (lines.empty()) return kMapByHand;
  return "Write in the source: columns = { " + lines + " }";
}

// The same judgement as when rows come: whatever OutboxTable refuses, is refused here before.
std::optional<Finding> judge_columns(const TableFacts& table, const PostgresOptions& options) {
  constexpr uint32_t kText = 25;
  std::vector<RelationColumn> columns;
  for (const TableColumn& column : table.columns) {
    columns.push_back({column.name, column.is_enum ? kText : column.base_type, false});
  }
  const Relation relation{table.oid, options.table.schema, options.table.name, columns};
  const ColumnNames names = options.mode == Mode::status
                                ? names_of_status_table(table, options.columns)
                                : options.columns;
  const auto mapped = OutboxTable::from(relation, names);
  if (mapped) return std::nullopt;
  return Finding{
      Severity::error, mapped.error().code,
      "table " + options.table.text() + ": " + mapped.error().detail,
      mapped.error().code == "COLUMN_MISSING" ? mapping_for(table, options) : mapped.error().hint};
}

// A poll sees what is in the table now. Debezium's users are told to delete a row in the
// transaction that inserted it: the WAL has it, the table never.
std::optional<Finding> judge_deletes(const TableFacts& table, const PostgresOptions& options) {
  const int64_t nearly_all = table.rows_inserted - table.rows_inserted / 10;
  const bool deletes = table.rows_deleted > 0 && table.rows_deleted >= nearly_all;
  const bool of_debezium =
      names_column(table, "aggregatetype") && names_column(table, "aggregateid");
  if (!deletes && !of_debezium) return std::nullopt;
  const std::string remedy =
      "Use mode = \"wal\", or delete rows later and at or below "
      "outbox.progress.delivered_seq only";
  if (deletes) {
    return Finding{Severity::warning, "DELETED_ROWS_UNSEEN",
                   "of " + std::to_string(table.rows_inserted) + " rows inserted into " +
                       options.table.text() + ", " + std::to_string(table.rows_deleted) +
                       " were deleted: a row that the transaction which inserted it deletes is "
                       "never seen by a poll, and not delivered",
                   remedy};
  }
  return Finding{Severity::note, "DELETED_ROWS_UNSEEN",
                 options.table.text() +
                     " has the shape of a Debezium outbox: a row that is inserted and deleted in "
                     "one transaction is only in the WAL, a poll never delivers it",
                 remedy};
}

}  // namespace

bool is_our_table(const TableName& table) { return table.text() == "outbox.event"; }

std::vector<Finding> judge_table(const ServerFacts& facts, const PostgresOptions& options) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string code, std::string what, std::string remedy) {
    findings.push_back({severity, std::move(code), std::move(what), std::move(remedy)});
  };
  const std::string table = options.table.text();
  if (!facts.table) {
    add(Severity::error, "TABLE_MISSING", "database " + facts.database + " has no table " + table,
        options.mode == Mode::status
            ? "Name your table in the source's `table`, as \"schema.table\""
            : "outbox schema apply -- or name your table in the source's `table`");
    return findings;
  }
  if (auto refused = judge_columns(*facts.table, options)) findings.push_back(std::move(*refused));
  if (options.mode == Mode::poll) {
    for (Finding& finding : judge_sequence(*facts.table, options)) {
      findings.push_back(std::move(finding));
    }
    if (auto unseen = judge_deletes(*facts.table, options)) findings.push_back(std::move(*unseen));
  }
  if (options.mode == Mode::status) {
    for (Finding& finding : judge_marking(facts, options)) findings.push_back(std::move(finding));
    return findings;  // a row that has no WAL can still be read
  }
  if (facts.table->unlogged) {
    add(Severity::error, "TABLE_UNLOGGED",
        "table " + table + " is unlogged: its rows never reach the WAL",
        "alter table " + table_sql(options.table) + " set logged;");
  }
  if (!facts.table->payload_size_checked) {
    add(Severity::warning, "NO_SIZE_CHECK",
        "table " + table +
            " has no CHECK on the size of a payload: one value of 600 MB "
            "stops the walsender for ever",
        "alter table " + table_sql(options.table) + " add check (octet_length(" +
            quote_identifier(names_column(*facts.table, options.columns.payload_bytes)
                                 ? options.columns.payload_bytes
                                 : options.columns.payload) +
            "::text) <= 33554432) not valid;");
  }
  return findings;
}

}  // namespace outbox::postgres
