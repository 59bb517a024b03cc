#include "connectors/postgres/detail/retention_findings.h"

#include <algorithm>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/removal.h"
#include "connectors/postgres/detail/table_findings.h"
#include "connectors/postgres/retention.h"

namespace outbox::postgres {
namespace {

using core::Result;

// Hours of the fastest outbox we know, months of most.
constexpr int64_t kNumbersLow = 100'000'000;

constexpr const char* kStateQuery = R"sql(
with slowest as (
  select p.pipeline, p.delivered_seq, p.updated_at from outbox.progress p
  where coalesce(p.source_table, $1) = $1 order by p.delivered_seq nulls first limit 1),
old as (
  select coalesce(max(m.seq), 0) as seq from outbox.retention_mark m
  where m.source_table = $1 and m.at <= now() - $2::interval)
select coalesce((select 'pipeline ' || s.pipeline || ' has delivered up to '
                        || coalesce(s.delivered_seq::text, 'no number that is proven')
                        || ', last saved at ' || date_trunc('second', s.updated_at)
                 from slowest s), 'no pipeline of the table is registered') as slowest,
       (select extract(epoch from now() - r.held_since)::bigint from outbox.retention r
        where r.source_table = $1) as held_seconds,
       (select count(*) from outbox.partition p
        where $3::boolean and p.before_seq - 1 <= least((select s.delivered_seq from slowest s),
                                                        (select o.seq from old o))
          and p.before_seq > coalesce((select r.removed_below from outbox.retention r
                                       where r.source_table = $1), 1)) as ready,
       case when $3::boolean then
         coalesce((select max(p.before_seq) from outbox.partition p), 1) - 1
         - coalesce(pg_sequence_last_value('outbox.event_seq'), 0) end as numbers_left)sql";

bool names_column(const TableFacts& table, const std::string& name) {
  return std::any_of(table.columns.begin(), table.columns.end(),
                     [&](const TableColumn& column) { return column.name == name; });
}

void judge_room(const RetentionState& state, std::vector<Finding>& findings) {
  if (!state.numbers_left) return;
  const std::string left = std::to_string(*state.numbers_left);
  if (*state.numbers_left < kNumbersLow) {
    findings.push_back({Severity::warning, "PARTITIONS_LOW",
                        "the partitions of outbox.event have room for " + left +
                            " more events; inserts fail after that",
                        "outbox schema apply -- or: select outbox.make_partitions();"});
  } else {
    findings.push_back({Severity::note, "PARTITIONS_AHEAD",
                        "the partitions of outbox.event have room for " + left + " more events",
                        ""});
  }
}

// What the role and the table lack for it.
std::optional<Finding> judge_means(const ServerFacts& facts, const PostgresOptions& options) {
  const TableFacts& table = *facts.table;
  const std::string name = options.table.text();
  const bool marks = options.mode == Mode::status;
  if (!marks && !facts.has_retention) {
    return Finding{
        Severity::warning, "RETENTION_UNAVAILABLE",
        "retention is set, and the outbox schema of this database has none",
        "outbox schema apply -- and: grant outbox_relay to " + quote_identifier(facts.user) + ";"};
  }
  if (is_our_table(options.table)) return std::nullopt;
  if (!marks && table.sequence.empty()) {
    return Finding{Severity::warning, "RETENTION_NO_NUMBER",
                   "retention is set, and the rows of " + name +
                       " have no number by which to know what is delivered",
                   "Take `retention` out of the source, or name a bigserial or identity column in "
                   "columns.seq"};
  }
  if (marks && !names_column(table, options.columns.created_at)) {
    return Finding{Severity::warning, "RETENTION_NO_TIME",
                   "retention is set, and " + name + " has no column " +
                       quote_identifier(options.columns.created_at) + " that tells a row's age",
                   "Name it in columns.created_at, or take `retention` out of the source"};
  }
  if (!table.may_delete) {
    return Finding{Severity::warning, "RETENTION_DENIED",
                   "retention is set, and role " + facts.user + " may not delete from " + name,
                   "grant delete on " + table_sql(options.table) + " to " +
                       quote_identifier(facts.user) + ";"};
  }
  return std::nullopt;
}

}  // namespace

Result<RetentionState> read_retention_state(Connection& sql, const PostgresOptions& options,
                                            const Waiter& waiter) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(options.retention);
  const auto rows = sql.run(kStateQuery,
                            {options.table.text(), std::to_string(age.count()) + " seconds",
                             is_our_table(options.table) ? "t" : "f"},
                            "look at", "retention", waiter);
  if (!rows) return rows.error();
  RetentionState state;
  if (const auto left = rows->text(0, "numbers_left")) {
    state.numbers_left = to_number<int64_t>(*left);
  }
  state.partitions_ready = rows->number<int64_t>("ready");
  state.held_seconds = rows->number<int64_t>("held_seconds");
  state.slowest = rows->value("slowest");
  return state;
}

std::vector<Finding> judge_retention(const ServerFacts& facts,
                                     const std::optional<RetentionState>& state,
                                     const PostgresOptions& options) {
  std::vector<Finding> findings;
  if (!facts.table) return findings;
  if (state) judge_room(*state, findings);
  if (options.retention == core::Duration::zero()) return findings;
  if (auto lacks = judge_means(facts, options)) {
    findings.push_back(std::move(*lacks));
    return findings;
  }
  if (!state || options.mode == Mode::status) return findings;
  if (std::chrono::seconds(state->held_seconds) >= kRetentionHeldNotice) {
    findings.push_back({Severity::warning, "RETENTION_HELD",
                        "rows of " + options.table.text() + " have been old enough for " +
                            std::to_string(state->held_seconds) +
                            " s and cannot be removed: " + state->slowest,
                        kRetentionHeldRemedy});
  } else if (is_our_table(options.table)) {
    findings.push_back({Severity::note, "RETENTION",
                        "rows below seq " + std::to_string(facts.table->removed.below) +
                            " are removed, and the next round empties " +
                            std::to_string(state->partitions_ready) + " partitions",
                        ""});
  }
  return findings;
}

}  // namespace outbox::postgres
