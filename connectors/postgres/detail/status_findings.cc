#include "connectors/postgres/detail/status_findings.h"

#include <algorithm>
#include <string>
#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/status_queries.h"

namespace outbox::postgres {
namespace {

constexpr uint32_t kUuid = 2950;
constexpr uint32_t kText = 25;
constexpr uint32_t kVarchar = 1043;
constexpr const char* kStates[] = {"READY", "SENT", "FAIL"};

class Judge {
 public:
  Judge(const ServerFacts& facts, const PostgresOptions& options)
      : facts_(facts), options_(options), names_(options.columns), sql_(table_sql(options.table)) {}

  std::vector<Finding> run() {
    judge_id();
    judge_status();
    judge_cause();
    judge_order();
    judge_key();
    judge_indexes();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string code, std::string what, std::string remedy) {
    findings_.push_back({severity, std::move(code), std::move(what), std::move(remedy)});
  }
  void refuse(std::string code, std::string what, std::string remedy) {
    add(Severity::error, std::move(code), std::move(what), std::move(remedy));
  }

  const TableColumn* find(const std::string& name) const {
    for (const TableColumn& column : facts_.table->columns) {
      if (column.name == name) return &column;
    }
    return nullptr;
  }
  std::string named(const std::string& column) const {
    return "column \"" + column + "\" of " + options_.table.text();
  }
  std::string alter() const { return "alter table " + sql_ + " "; }
  std::string grant(const std::string& right, const std::string& column) const {
    return "grant " + right + " (" + quote_identifier(column) + ") on " + sql_ + " to " +
           quote_identifier(facts_.user) + ";";
  }
  // The column; null, and a finding, if there is none.
  const TableColumn* need(const std::string& role, const std::string& name,
                          const std::string& type) {
    if (const TableColumn* column = find(name)) return column;
    refuse("COLUMN_MISSING", "table " + options_.table.text() + " has no column \"" + name + "\"",
           alter() + "add column " + quote_identifier(name) + " " + type +
               "; -- or name another: " + role + " = \"...\" in [source.<name>.columns]");
    return nullptr;
  }

  void judge_id() {
    const TableColumn* id = find(names_.id);
    if (id == nullptr) return;
    if (!id->not_null) {
      refuse("ID_MAY_BE_NULL", named(names_.id) + " may be NULL: such a row cannot be marked",
             alter() + "alter column " + quote_identifier(names_.id) + " set not null;");
    }
    if (id->base_type == kUuid) return;
    refuse("COLUMN_TYPE",
           named(names_.id) + " is of type " + id->type + ", rows are marked by uuid",
           alter() + "alter column " + quote_identifier(names_.id) + " type uuid using " +
               quote_identifier(names_.id) + "::uuid;");
  }

  void judge_status() {
    const TableColumn* column = need("status", names_.status, "text not null default 'READY'");
    if (column == nullptr) return;
    const TableColumn& status = *column;
    if (!status.is_enum && status.base_type != kText && status.base_type != kVarchar) {
      refuse("COLUMN_TYPE",
             named(names_.status) + " is of type " + status.type +
                 ", it must hold the words READY, SENT and FAIL",
             alter() + "alter column " + quote_identifier(names_.status) + " type text;");
    }
    for (const char* state : kStates) {
      const auto& labels = facts_.marking->labels;
      if (!status.is_enum || std::find(labels.begin(), labels.end(), state) != labels.end())
        continue;
      refuse("STATUS_LABEL", named(names_.status) + " does not know " + state,
             "alter type " + status.type + " add value '" + state + "';");
    }
    if (facts_.marking->may_mark) return;
    refuse("MARK_DENIED",
           "role " + facts_.user + " may not update " + named(names_.status) +
               ", and so cannot mark what was sent",
           grant("update", names_.status));
  }

  void judge_cause() {
    if (names_.cause.empty()) return;
    const TableColumn* column = need("cause", names_.cause, "text");
    if (column == nullptr) return;
    const TableColumn& cause = *column;
    if (cause.base_type != kText) {
      refuse("COLUMN_TYPE",
             named(names_.cause) + " is of type " + cause.type + ", a cause needs text",
             alter() + "alter column " + quote_identifier(names_.cause) + " type text;");
    }
    if (facts_.marking->may_tell_cause) return;
    refuse("MARK_DENIED", "role " + facts_.user + " may not update " + named(names_.cause),
           grant("update", names_.cause));
  }

  void judge_order() {
    const std::string order = StatusQueries::order_column(*facts_.table, names_);
    if (order.empty()) {
      need("created_at", names_.created_at, "timestamptz not null default clock_timestamp()");
      return;
    }
    if (!names_.order.empty()) {
      const TableColumn* column =
          need("order", names_.order, "bigint generated always as identity");
      if (column == nullptr || column->not_null) return;
      add(Severity::warning, "ORDER_MAY_BE_NULL",
          named(names_.order) + " may be NULL: such rows come last, whenever they were inserted",
          alter() + "alter column " + quote_identifier(names_.order) + " set not null;");
      return;
    }
    add(Severity::warning, "ORDER_BY_TIME",
        "rows of " + options_.table.text() + " are ordered by \"" + order +
            "\", the time their transaction began: the order of a key is not kept inside a "
            "transaction, nor between transactions that overlap",
        alter() +
            "add column seq bigint generated always as identity; -- then order = \"seq\" in "
            "[source.<name>.columns]");
  }

  void judge_key() {
    const TableColumn* key = find(names_.aggregate_id);
    if (key == nullptr || key->not_null) return;
    add(Severity::note, "KEY_MAY_BE_NULL",
        named(names_.aggregate_id) + " may be NULL: rows without a key have no order", "");
  }

  void judge_indexes() {
    if (!facts_.marking->id_indexed) {
      add(Severity::warning, "ID_NOT_INDEXED",
          "no index of " + options_.table.text() + " begins with \"" + names_.id +
              "\": each mark reads the whole table",
          alter() + "add primary key (" + quote_identifier(names_.id) + ");");
    }
    const std::string order = StatusQueries::order_column(*facts_.table, names_);
    if (facts_.marking->ready_indexed || order.empty()) return;
    add(Severity::warning, "READY_NOT_INDEXED",
        "no partial index of " + options_.table.text() +
            " holds the READY rows alone: each look reads the whole table",
        "create index concurrently on " + sql_ + " (" + quote_identifier(order) + ", " +
            quote_identifier(names_.id) + ") where " + quote_identifier(names_.status) +
            " = 'READY'; " + alter() +
            "set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = "
            "0.02, fillfactor = 70);");
  }

  const ServerFacts& facts_;
  const PostgresOptions& options_;
  const ColumnNames& names_;
  const std::string sql_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> judge_marking(const ServerFacts& facts, const PostgresOptions& options) {
  return Judge(facts, options).run();
}

}  // namespace outbox::postgres
