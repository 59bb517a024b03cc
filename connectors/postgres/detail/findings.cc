#include "connectors/postgres/detail/findings.h"

#include <algorithm>

#include "connectors/postgres/detail/capture_findings.h"
#include "connectors/postgres/detail/poll_findings.h"
#include "connectors/postgres/detail/table_findings.h"

namespace outbox::postgres {
namespace {

constexpr int kOldestVersion = 140000;
constexpr int kNewestVersion = 189999;
constexpr int kMorePlaces = 10;
constexpr int64_t kSafeWalBytesLow = int64_t{1} << 30;

std::string more_places(const std::string& setting, const Places& places) {
  return "alter system set " + setting + " = " + std::to_string(places.most + kMorePlaces) +
         "; -- then restart the server";
}

class Findings {
 public:
  void add(Severity severity, std::string code, std::string what, std::string remedy) {
    list_.push_back({severity, std::move(code), std::move(what), std::move(remedy)});
  }
  void add(std::optional<Finding> finding) {
    if (finding) list_.push_back(std::move(*finding));
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

std::string megabytes(int64_t bytes) { return std::to_string(bytes / (1024 * 1024)) + " MB"; }

void judge_settings(const ServerFacts& facts, const PostgresOptions& options, Findings& findings) {
  if (facts.version < kOldestVersion || facts.version > kNewestVersion) {
    findings.add(facts.version < kOldestVersion ? Severity::error : Severity::warning,
                 "SERVER_VERSION",
                 "Postgres " + std::to_string(facts.version / 10000) +
                     " is not one of 14 to 18, which this relay knows",
                 "Use a Postgres of version 14 to 18");
  }
  if (facts.in_recovery) {
    findings.add(Severity::error, "SERVER_IS_STANDBY",
                 "the server is a standby (in recovery): it takes no progress and no heartbeat",
                 "Let the URL name the primary, or add target_session_attrs=read-write to it");
  }
  if (options.mode != Mode::wal) return;
  if (facts.wal_level != "logical") {
    findings.add(Severity::error, "WAL_LEVEL",
                 "wal_level is " + facts.wal_level + ", logical decoding needs logical",
                 "alter system set wal_level = 'logical'; -- then restart the server");
  }
  if (facts.walsenders.full()) {
    findings.add(Severity::warning, "NO_FREE_WALSENDER",
                 "all max_wal_senders connections are in use: a relay could not connect now",
                 more_places("max_wal_senders", facts.walsenders));
  }
  if (facts.max_slot_wal_keep_mb < 0) {
    findings.add(Severity::note, "SLOT_WAL_UNLIMITED",
                 "max_slot_wal_keep_size is -1: while the relay is away, WAL piles up until the "
                 "disk is full",
                 "alter system set max_slot_wal_keep_size = '50GB'; -- what the disk can spare");
  }
  if (facts.synchronous_commit == "off" || facts.others_commit_asynchronously) {
    findings.add(Severity::note, "ASYNCHRONOUS_COMMIT",
                 "synchronous_commit is off for some sessions: every reader of the WAL sees their "
                 "commits up to wal_writer_delay (200 ms) later",
                 "alter system set wal_writer_delay = '10ms'; select pg_reload_conf();");
  }
}

void judge_emit(const ServerFacts& facts, const PostgresOptions& options, Findings& findings) {
  if (facts.emit != Emit::forgeable || options.mode != Mode::wal) return;
  const std::string flush = facts.version >= 170000 ? ", boolean" : "";
  const std::string functions = "function pg_logical_emit_message(boolean, text, text" + flush +
                                "), pg_logical_emit_message(boolean, text, bytea" + flush + ")";
  findings.add(Severity::warning, "EMIT_FORGEABLE",
               "everybody in database " + facts.database +
                   " may execute pg_logical_emit_message(), and so write a message that looks like "
                   "an event of outbox.emit()",
               "As a superuser: revoke execute on " + functions +
                   " from public; grant execute on " + functions +
                   " to outbox_owner, outbox_relay;");
}

std::string select_grant(const ServerFacts& facts, const PostgresOptions& options) {
  const std::string user = quote_identifier(facts.user);
  const std::string select = "grant select on " + table_sql(options.table) + " to " + user + ";";
  if (is_our_table(options.table)) return "grant outbox_relay to " + user + "; -- or: " + select;
  return "grant usage on schema " + quote_identifier(options.table.schema) + " to " + user + "; " +
         select;
}

void judge_role(const ServerFacts& facts, const PostgresOptions& options, Findings& findings) {
  if (!facts.may_replicate && options.mode == Mode::wal) {
    findings.add(Severity::warning, "ROLE_REPLICATION",
                 "role " + facts.user +
                     " has no REPLICATION attribute (managed services give the "
                     "right by a role of theirs instead)",
                 "alter role " + quote_identifier(facts.user) + " replication;");
  }
  if (options.mode == Mode::status) {
    // The table keeps the progress itself.
  } else if (facts.progress_table == ProgressTable::missing) {
    findings.add(Severity::error, "SCHEMA_MISSING",
                 "database " + facts.database + " has no table outbox.progress",
                 "outbox schema apply");
  } else if (facts.progress_table == ProgressTable::denied) {
    findings.add(Severity::error, "PROGRESS_DENIED",
                 "role " + facts.user + " may not read and write outbox.progress",
                 "grant outbox_relay to " + quote_identifier(facts.user) + ";");
  }
  if (facts.table && !facts.table->may_select) {
    const bool polls = options.mode != Mode::wal;
    findings.add(polls ? Severity::error : Severity::warning, "TABLE_DENIED",
                 "role " + facts.user + " may not read " + options.table.text() +
                     (polls ? "" : ": older rows cannot be counted, lag in events cannot be told"),
                 select_grant(facts, options));
  }
}

// outbox.create_publication() takes outbox.event alone.
bool may_add_tables(const ServerFacts& facts, const PostgresOptions& options) {
  if (options.captures.empty()) {
    return !facts.table || facts.table->owned || is_our_table(options.table);
  }
  const auto& tables = facts.captures->tables;
  return facts.table && facts.table->owned &&
         std::all_of(tables.begin(), tables.end(),
                     [](const CapturedTableFacts& table) { return table.owned; });
}

}  // namespace

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
    case Severity::unreachable:
      return "unreachable";
  }
  return "?";
}

std::string quote_identifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string table_sql(const TableName& table) {
  return quote_identifier(table.schema) + "." + quote_identifier(table.name);
}

std::string operations_sql(const PostgresOptions& options) {
  if (!options.captures.empty()) return "insert, update, delete, truncate";
  return options.on_update == OnUpdate::ignore ? "insert" : "insert, update";
}

std::string published_tables(const PostgresOptions& options) {
  std::string tables = options.table.text();
  for (const TableName& table : captured_tables(options)) tables += ", " + table.text();
  return tables;
}

std::string create_publication_sql(const PostgresOptions& options) {
  std::string tables = table_sql(options.table);
  for (const TableName& table : captured_tables(options)) tables += ", " + table_sql(table);
  return "create publication " + quote_identifier(options.publication) + " for table " + tables +
         " with (publish = '" + operations_sql(options) + "', publish_via_partition_root = true);";
}

std::string quote_literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::vector<Finding> judge_server(const ServerFacts& facts, const PostgresOptions& options) {
  Findings findings;
  judge_settings(facts, options, findings);
  judge_role(facts, options, findings);
  for (Finding& finding : judge_table(facts, options)) findings.add(std::move(finding));
  for (Finding& finding : judge_captures(facts, options)) findings.add(std::move(finding));
  judge_emit(facts, options, findings);
  findings.add(judge_mode(facts, options));
  return findings.take();
}

std::vector<Finding> judge_publication(const ServerFacts& facts, const PostgresOptions& options,
                                       bool must_exist) {
  Findings findings;
  const std::string name = "publication " + options.publication;
  const std::string sql_name = quote_identifier(options.publication);
  if (!facts.publication) {
    const bool may_add_table = may_add_tables(facts, options);
    if (!must_exist && facts.may_create_publication && may_add_table) return {};
    if (!must_exist && facts.may_create_publication) {
      findings.add(Severity::error, "PUBLICATION_DENIED",
                   name + " does not exist, and role " + facts.user +
                       " may not create it: only the owner of " + published_tables(options) +
                       " may",
                   create_publication_sql(options) + " -- as the owner, or as a superuser");
      return findings.take();
    }
    if (!must_exist) {
      findings.add(Severity::error, "PUBLICATION_DENIED",
                   name + " does not exist, and role " + facts.publication_owner +
                       " may not create it: it has no CREATE on database " + facts.database,
                   "grant create on database " + quote_identifier(facts.database) + " to " +
                       quote_identifier(facts.publication_owner) + ";");
      return findings.take();
    }
    findings.add(Severity::error, "PUBLICATION_MISSING",
                 name + " does not exist: the slot cannot be read without it",
                 create_publication_sql(options) +
                     " -- rows committed while it was missing are not sent: compare with `outbox "
                     "verify`");
    return findings.take();
  }
  const PublicationFacts& publication = *facts.publication;
  const bool partitioned = facts.table && facts.table->partitioned;
  if (!publication.has_table) {
    findings.add(Severity::error, "PUBLICATION_WITHOUT_TABLE",
                 name + " does not contain table " + options.table.text(),
                 "alter publication " + sql_name + " add table " + table_sql(options.table) + ";");
  }
  if (partitioned && !publication.via_root) {
    findings.add(
        Severity::error, "PUBLICATION_PARTITIONS",
        name + " publishes the partitions of " + options.table.text() + " under their own names",
        "alter publication " + sql_name + " set (publish_via_partition_root = true);");
  }
  if (!publication.inserts) {
    findings.add(
        Severity::error, "PUBLICATION_WITHOUT_INSERTS", name + " does not publish inserts",
        "alter publication " + sql_name + " set (publish = '" + operations_sql(options) + "');");
  }
  if (publication.has_filter) {
    findings.add(Severity::warning, "PUBLICATION_FILTERS",
                 name + " has a row filter: rows it leaves out are never delivered",
                 "alter publication " + sql_name + " set table " + table_sql(options.table) + ";");
  }
  if (options.on_update != OnUpdate::ignore && !publication.updates) {
    findings.add(Severity::warning, "PUBLICATION_WITHOUT_UPDATES",
                 name + " does not publish updates, so on_update never sees one",
                 "alter publication " + sql_name + " set (publish = 'insert, update');");
  }
  if (options.captures.empty() &&
      ((publication.updates && options.on_update == OnUpdate::ignore) || publication.deletes)) {
    findings.add(
        Severity::note, "PUBLICATION_UPDATES",
        name + " publishes updates or deletes; the relay ignores them",
        "alter publication " + sql_name + " set (publish = '" + operations_sql(options) + "');");
  }
  return findings.take();
}

std::vector<Finding> judge_slot(const ServerFacts& facts, const PostgresOptions& options) {
  Findings findings;
  const std::string name = "slot " + options.slot;
  if (!facts.slot) {
    if (facts.slots.full()) {
      findings.add(Severity::error, "NO_FREE_SLOT", "all replication slots are in use",
                   more_places("max_replication_slots", facts.slots));
    }
    return findings.take();
  }
  const SlotFacts& slot = *facts.slot;
  if (slot.plugin != "pgoutput" || slot.database != facts.database || slot.temporary) {
    findings.add(Severity::error, "SLOT_FOREIGN",
                 name + " is not a lasting pgoutput slot of database " + facts.database +
                     " (plugin " + slot.plugin + ", database " + slot.database + ")",
                 "Name another slot in the source's `slot`");
  }
  if (slot.wal_status != "lost") {
    findings.add(judge_slot_wal(slot.wal_status, slot.safe_wal_bytes, options));
  } else if (!facts.progress) {
    findings.add(Severity::error, "SLOT_LOST",
                 name + " was invalidated before the pipeline's first start",
                 "select pg_drop_replication_slot(" + quote_literal(options.slot) + ");");
  }
  return findings.take();
}

std::optional<Finding> judge_slot_wal(const std::string& wal_status,
                                      std::optional<int64_t> safe_wal_bytes,
                                      const PostgresOptions& options) {
  const bool low = safe_wal_bytes && *safe_wal_bytes < kSafeWalBytesLow;
  if (wal_status != "unreserved" && !low) return std::nullopt;
  return Finding{Severity::warning, "SLOT_WAL_LOW",
                 "slot " + options.slot + " is lost after " +
                     megabytes(safe_wal_bytes.value_or(0)) + " more WAL (wal_status " + wal_status +
                     ")",
                 "Let the relay catch up, or: alter system set max_slot_wal_keep_size = '50GB'; "
                 "select pg_reload_conf();"};
}

core::Error to_error(const Finding& finding, const std::string& op) {
  return {core::Fault::fatal, finding.code, op, "", finding.what, finding.remedy};
}

std::optional<core::Error> first_error(const std::vector<Finding>& findings,
                                       const std::string& op) {
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::error) return to_error(finding, op);
  }
  return std::nullopt;
}

}  // namespace outbox::postgres
