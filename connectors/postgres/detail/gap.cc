#include "connectors/postgres/detail/gap.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/poll_findings.h"
#include "connectors/postgres/detail/table_findings.h"

namespace outbox::postgres {
namespace {

// What is between progress and slot, as a code and half a sentence; nothing: no gap.
std::optional<std::pair<std::string, std::string>> gap(const ServerFacts& facts,
                                                       const PostgresOptions& options) {
  const ProgressFacts& saved = *facts.progress;
  const std::string slot = "slot " + options.slot;
  const std::string settled = "pipeline " + options.pipeline + " had settled everything up to " +
                              core::to_string(saved.end);
  if (!saved.end.valid() && !saved.delivered_seq) return std::nullopt;
  if (saved.slot.empty()) {
    return std::pair("MODE_CHANGED", "pipeline " + options.pipeline + " was polled until now");
  }
  if (facts.read_beyond_fork) {
    return std::pair("TIMELINE_CHANGED", "after a failover the server writes LSNs below " +
                                             core::to_string(*facts.read_beyond_fork) +
                                             " again, up to which timeline " +
                                             std::to_string(saved.timeline) + " was read");
  }
  if (!facts.slot) return std::pair("SLOT_MISSING", slot + " is gone, and " + settled);
  if (facts.slot->wal_status == "lost") {
    const std::string& because = facts.slot->lost_because;
    return std::pair("SLOT_LOST", slot + " was invalidated" +
                                      (because.empty() ? "" : " (" + because + ")") +
                                      ", the WAL it needs is gone, and " + settled);
  }
  if (facts.slot->confirmed_flush > saved.end) {
    return std::pair(
        "SLOT_AHEAD",
        slot + " starts at " + core::to_string(facts.slot->confirmed_flush) + ", and " + settled);
  }
  return std::nullopt;
}

std::string captured_text(const PostgresOptions& options) {
  std::string tables;
  for (const TableName& table : captured_tables(options)) {
    tables += (tables.empty() ? "" : ", ") + table.text();
  }
  return tables;
}

struct Obstacle {
  std::string why;
  std::string remedy;
};

std::optional<Obstacle> obstacle(const ServerFacts& facts, const PostgresOptions& options) {
  const std::string table = options.table.text();
  const std::string start_over =
      "Deliver what is missing, then: delete from outbox.progress where pipeline = " +
      quote_literal(options.pipeline) + "; -- the pipeline then begins at a new slot";
  if (!facts.table || facts.table->sequence.empty()) {
    return Obstacle{"the rows of " + table + " have no number by which to find what is missing",
                    start_over};
  }
  if (!facts.table->may_select) {
    return Obstacle{"role " + facts.user + " may not read " + table,
                    "grant outbox_relay to " + quote_identifier(facts.user) +
                        "; -- or: grant select on " + table_sql(options.table) + " to " +
                        quote_identifier(facts.user) + ";"};
  }
  if (!facts.progress->delivered_seq) {
    return Obstacle{"no sequence number was saved up to which all was delivered", start_over};
  }
  // What the proof of delivered_seq stands on (horizon.h).
  if (std::vector<Finding> unsafe = judge_sequence(*facts.table, options); !unsafe.empty()) {
    return Obstacle{unsafe.front().what, unsafe.front().remedy + " " + start_over};
  }
  const int64_t deleted = facts.table->rows_deleted - facts.table->removed.rows;
  if (!is_our_table(options.table) && deleted > 0) {
    return Obstacle{"rows of " + table + " are deleted, " + std::to_string(deleted) +
                        " so far: what was deleted before it was delivered is not there",
                    start_over};
  }
  if (facts.emitted && !facts.progress->slot.empty()) {
    return Obstacle{
        "events without a row (outbox.emit) that were committed after " +
            core::to_string(facts.progress->end) + " were nowhere else",
        "Let their services publish them again, then: select setval('outbox.emitted', 1, false); "
        "-- the next start reads the rows again, nothing of them is missing"};
  }
  if (!options.captures.empty() && !facts.progress->slot.empty()) {
    return Obstacle{"changes of business tables (" + captured_text(options) +
                        ") that were committed after " + core::to_string(facts.progress->end) +
                        " were in the WAL only",
                    "Start once without [[source.<name>.capture]]: the rows of " + table +
                        " come again. Once the log says REFILLED, put it back. What changed in "
                        "the business tables until then makes no event: compare them with whoever "
                        "keeps a copy"};
  }
  const auto first = facts.table->first_seq_kept;
  if (first && *first > *facts.progress->delivered_seq + 1) {
    return Obstacle{"the partitions of " + table + " with seq " +
                        std::to_string(*facts.progress->delivered_seq + 1) + " to " +
                        std::to_string(*first - 1) + " were dropped",
                    start_over};
  }
  if (facts.table->removed.below > *facts.progress->delivered_seq + 1) {
    return Obstacle{"retention removed the rows of " + table + " with seq " +
                        std::to_string(*facts.progress->delivered_seq + 1) + " to " +
                        std::to_string(facts.table->removed.below - 1) +
                        " while the pipeline was not registered",
                    start_over};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Finding> judge_gap(const ServerFacts& facts, const PostgresOptions& options) {
  if (!facts.progress) return std::nullopt;
  const auto found = gap(facts, options);
  if (!found) return std::nullopt;
  if (const auto hindered = obstacle(facts, options)) {
    return Finding{Severity::error, found->first,
                   found->second +
                       ". What was committed since cannot be read from the table: " + hindered->why,
                   hindered->remedy};
  }
  return Finding{Severity::warning, found->first,
                 found->second + ". A start makes the slot and reads the rows of " +
                     options.table.text() + " above seq " +
                     std::to_string(*facts.progress->delivered_seq) +
                     " again: nothing is lost, some events come twice",
                 ""};
}

}  // namespace outbox::postgres
