#include "connectors/postgres/detail/capture_findings.h"

#include <algorithm>
#include <optional>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

const CapturedColumnFacts* find(const CapturedTableFacts& table, const std::string& name) {
  for (const CapturedColumnFacts& column : table.columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

// The findings about one table and the rules that name it.
class Judgement {
 public:
  Judgement(const CapturedTableFacts& table, const ServerFacts& facts,
            const PostgresOptions& options, std::vector<Finding>& findings)
      : table_(table), facts_(facts), options_(options), findings_(findings) {}

  void judge() {
    const std::string name = table_.table.text();
    if (table_.oid == 0) {
      return add(Severity::error, "CAPTURE_TABLE_MISSING",
                 "database " + facts_.database + " has no table " + name,
                 "Name it in [[source.<name>.capture]] as \"schema.table\", as Postgres spells it");
    }
    if (table_.unlogged) {
      add(Severity::error, "CAPTURE_UNLOGGED",
          "table " + name + " is unlogged: its changes never reach the WAL",
          "alter table " + table_sql(table_.table) + " set logged;");
    }
    judge_publication();
    for (const CaptureRule& rule : options_.captures) {
      if (rule.table.text() == name) judge_rule(rule);
    }
    if (!needs_identity_.empty()) {
      add(Severity::error, "CAPTURE_IDENTITY",
          "the WAL does not tell enough of the old rows of " + name + ": " + needs_identity_,
          "alter table " + table_sql(table_.table) + " replica identity full;");
    }
    if (!table_.odd_partition.empty()) {
      add(Severity::error, "CAPTURE_PARTITION_IDENTITY",
          "partition " + table_.odd_partition + " has another replica identity than " + name +
              ": its old rows would be misread",
          "alter table " + table_.odd_partition + " replica identity " +
              (table_.identity_full ? "full" : "default") + "; -- the same for every partition");
    }
  }

 private:
  void judge_publication() {
    if (!facts_.publication) return;
    const std::string publication = "publication " + options_.publication;
    const std::string alter = "alter publication " + quote_identifier(options_.publication);
    const std::string name = table_.table.text();
    if (!table_.published) {
      add(Severity::error, "CAPTURE_NOT_PUBLISHED", publication + " does not contain table " + name,
          alter + " add table " + table_sql(table_.table) +
              "; -- as the owner of both. Changes committed before that never come");
    }
    if (table_.partitioned && !facts_.publication->via_root) {
      add(Severity::error, "PUBLICATION_PARTITIONS",
          publication + " publishes the partitions of " + name + " under their own names",
          alter + " set (publish_via_partition_root = true);");
    }
    if (table_.filtered) {
      add(Severity::warning, "PUBLICATION_FILTERS",
          publication + " has a row filter for " + name + ": changes it leaves out make no event",
          "Drop the table from the publication and add it again without WHERE");
    }
  }

  void judge_rule(const CaptureRule& rule) {
    for (const std::string& key : rule.key) {
      if (!must_have(key, "the key")) continue;
      if (rule.update.empty() && rule.erase.empty()) continue;
      if (!find(table_, key)->identity) need("key column \"" + key + "\" is not part of it");
    }
    for (const CaptureCondition& condition : rule.when) {
      if (!must_have(condition.column, "`when`") || find(table_, condition.column)->identity) {
        continue;
      }
      const bool is = condition.kind == CaptureCondition::Kind::is;
      if (is ? !rule.erase.empty() : !rule.update.empty()) {
        need("`when` looks at column \"" + condition.column + "\" as it was");
      }
    }
    if (rule.before && !rule.update.empty() && !table_.identity_full) {
      need("`before` wants all of it");
    }
    for (const std::string& column : rule.columns) {
      if (find(table_, column) != nullptr && !find(table_, column)->generated) continue;
      add(Severity::warning, "CAPTURE_COLUMN_GONE",
          "table " + table_.table.text() + " has no column \"" + column +
              "\" in the WAL, which `columns` names: events come without it",
          "Take it out of `columns`, or add it to the table");
    }
  }

  bool must_have(const std::string& column, const std::string& what) {
    const CapturedColumnFacts* found = find(table_, column);
    if (found != nullptr && !found->generated) return true;
    add(Severity::error, "CAPTURE_COLUMN_MISSING",
        "table " + table_.table.text() + " has no column \"" + column + "\"" +
            (found == nullptr ? "" : " in the WAL, where generated ones are not") + ", which is " +
            (what == "the key" ? what : "looked at by " + what),
        "Name another in [[source.<name>.capture]]");
    return false;
  }

  void need(const std::string& why) {
    if (needs_identity_.find(why) != std::string::npos) return;
    needs_identity_ += (needs_identity_.empty() ? "" : ", ") + why;
  }

  void add(Severity severity, std::string code, std::string what, std::string remedy) {
    findings_.push_back({severity, std::move(code), std::move(what), std::move(remedy)});
  }

  const CapturedTableFacts& table_;
  const ServerFacts& facts_;
  const PostgresOptions& options_;
  std::vector<Finding>& findings_;
  std::string needs_identity_;
};

// Of the operations that rules need, those that the publication leaves out.
std::string unpublished(const PublicationFacts& publication, const PostgresOptions& options) {
  bool updates = false;
  bool deletes = false;
  for (const CaptureRule& rule : options.captures) {
    updates = updates || !rule.update.empty() || !rule.erase.empty();  // a key may change
    deletes = deletes || !rule.erase.empty();
  }
  std::string missing = updates && !publication.updates ? "updates" : "";
  if (deletes && !publication.deletes) missing += missing.empty() ? "deletes" : " and deletes";
  return missing;
}

// The business's own updates and deletes would fail: worse than no event.
std::vector<Finding> judge_identities(const ServerFacts& facts, const PostgresOptions& options) {
  std::vector<Finding> findings;
  const bool breaks =
      facts.publication && (facts.publication->updates || facts.publication->deletes);
  for (const std::string& table : facts.captures->without_identity) {
    findings.push_back(
        {Severity::error, "TABLE_WITHOUT_IDENTITY",
         "table " + table + " has no primary key and no other replica identity: Postgres " +
             (breaks ? "refuses" : "would refuse") + " its UPDATEs and DELETEs while publication " +
             options.publication + " publishes them",
         "alter table " + table + " replica identity full; -- or give it a primary key"});
  }
  return findings;
}

}  // namespace

std::vector<Finding> judge_captures(const ServerFacts& facts, const PostgresOptions& options) {
  if (!facts.captures) return {};
  if (options.captures.empty()) {
    return facts.publication ? std::vector<Finding>() : judge_identities(facts, options);
  }
  std::vector<Finding> findings = judge_identities(facts, options);
  for (const CapturedTableFacts& table : facts.captures->tables) {
    Judgement(table, facts, options, findings).judge();
  }
  if (!facts.publication) return findings;
  if (const std::string missing = unpublished(*facts.publication, options); !missing.empty()) {
    findings.push_back({Severity::error, "CAPTURE_OPERATIONS",
                        "publication " + options.publication + " does not publish " + missing,
                        "alter publication " + quote_identifier(options.publication) +
                            " set (publish = '" + operations_sql(options) + "');"});
  }
  return findings;
}

}  // namespace outbox::postgres
