#include "connectors/postgres/detail/poll_findings.h"

#include <algorithm>
#include <string>
#include <utility>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {

std::vector<Finding> judge_sequence(const TableFacts& table, const PostgresOptions& options) {
  std::vector<Finding> findings;
  const auto refuse = [&](std::string code, std::string what, std::string remedy) {
    findings.push_back({Severity::error, std::move(code), std::move(what), std::move(remedy)});
  };
  const std::string column = "column \"" + options.columns.seq + "\" of " + options.table.text();
  if (table.sequence.empty()) {
    refuse("SEQUENCE_MISSING",
           column +
               " is not numbered by a sequence of its own, so nobody can tell which rows "
               "may still come",
           "alter table " + table_sql(options.table) + " alter column " +
               quote_identifier(options.columns.seq) +
               " add generated always as identity; -- or name a bigserial column");
    return findings;
  }
  if (!table.seq_by_default) {
    refuse("NUMBERED_ELSEWHERE",
           column + " does not take its default from sequence " + table.sequence +
               ": numbers that an application draws before it inserts come out of order",
           "Let the database number the rows: default nextval('" + table.sequence + "')");
  }
  if (table.sequence_cache != 1 || !table.sequence_ascends) {
    refuse("SEQUENCE_CACHE",
           "sequence " + table.sequence + " has CACHE " + std::to_string(table.sequence_cache) +
               (table.sequence_ascends ? "" : " and does not only ascend") +
               ": sessions would keep numbers back and use them late",
           "alter sequence " + table.sequence + " cache 1 no cycle;");
  }
  if (!table.sequence_readable) {
    refuse("SEQUENCE_DENIED", "the role may not read sequence " + table.sequence,
           "grant select on sequence " + table.sequence + " to outbox_relay;");
  }
  if (table.subscribed) {
    refuse("TABLE_SUBSCRIBED",
           "table " + options.table.text() +
               " is filled by a subscription: its rows bring the numbers of another server",
           "Run the relay at the publisher, or use mode = \"wal\"");
  }
  return findings;
}

// Retention waits for every registered pipeline; this one was not, or its row was put back by hand.
std::optional<Finding> judge_kept_rows(const ServerFacts& facts, const PostgresOptions& options) {
  if (!facts.table || !facts.progress->delivered_seq) return std::nullopt;
  const uint64_t next = *facts.progress->delivered_seq + 1;
  const uint64_t kept =
      std::max(facts.table->removed.below, facts.table->first_seq_kept.value_or(1));
  if (kept <= next) return std::nullopt;
  return Finding{Severity::error, "ROWS_REMOVED",
                 "pipeline " + options.pipeline + " goes on at seq " + std::to_string(next) +
                     ", and the rows of " + options.table.text() + " up to seq " +
                     std::to_string(kept - 1) + " were removed while it was not registered",
                 "Deliver what is missing, then: delete from outbox.progress where pipeline = " +
                     quote_literal(options.pipeline) +
                     "; -- the pipeline then begins at the oldest row that is kept"};
}

std::optional<Finding> judge_mode(const ServerFacts& facts, const PostgresOptions& options) {
  if (!facts.progress) return std::nullopt;
  const bool read_from_wal = facts.progress->end.valid();
  const bool polled = facts.progress->delivered_seq.has_value();
  const std::string pipeline = "pipeline " + options.pipeline;
  switch (options.mode) {
    case Mode::wal:
      return std::nullopt;  // gap.h
    case Mode::poll:
      if (polled && facts.emitted && facts.slot && facts.progress->slot == options.slot) {
        return Finding{Severity::error, "MODE_CHANGED",
                       "events were emitted without a row (outbox.emit), and some may still wait "
                       "in slot " +
                           options.slot + ": polling would never see them",
                       "Set mode = \"wal\" again. To change it: revoke execute on outbox.emit() "
                       "from outbox_writer, wait until `outbox status` shows no lag, then: select "
                       "setval('outbox.emitted', 1, false);"};
      }
      if (polled) return judge_kept_rows(facts, options);
      if (!read_from_wal) return std::nullopt;
      return Finding{Severity::error, "MODE_CHANGED",
                     pipeline +
                         " was read from the WAL until now, and no sequence number is saved to go "
                         "on from",
                     "Set mode = \"wal\" again, or give the pipeline with the new mode a name of "
                     "its own: it begins at the first row"};
    case Mode::status:
      break;  // every row says itself where it stands
  }
  return std::nullopt;
}

}  // namespace outbox::postgres
