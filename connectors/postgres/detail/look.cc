#include "connectors/postgres/detail/look.h"

#include <utility>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

constexpr size_t kStatements = 3;

// pg_locks and pg_stat_activity are joined for names only: that takes as long as all the rest.
std::string holders_query(const std::string& table, bool named) {
  return "with recursive family(oid) as (select " + table +
         "::oid union all select i.inhrelid from pg_inherits i join family f on i.inhparent ="
         " f.oid)"
         " select l.virtualtransaction as transaction, l.virtualtransaction like '-1/%' as renamed"
         ", " +
         (named ? "coalesce('pid ' || l.pid || coalesce(' (' || nullif(a.application_name, '') || "
                  "')', '')"
                  " || ', open since ' || date_trunc('second', a.xact_start) || ': '"
                  " || left(a.query, 100), 'prepared transaction ' || quote_literal(p.gid)"
                  " || ' since ' || date_trunc('second', p.prepared), 'pid ' || l.pid,"
                  " 'transaction ' || l.virtualtransaction) as who"
                  " from pg_locks l left join pg_stat_activity a on a.pid = l.pid"
                  " left join pg_locks x on l.pid is null and x.locktype = 'transactionid'"
                  " and x.virtualtransaction = l.virtualtransaction"
                  " left join pg_prepared_xacts p on p.transaction = x.transactionid"
                : "coalesce('pid ' || l.pid, 'transaction ' || l.virtualtransaction) as who"
                  " from pg_locks l") +
         " where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted"
         " and l.database = (select d.oid from pg_database d where d.datname = current_database())"
         " and l.relation in (select oid from family)";
}

core::Result<void> prepare(Connection& sql, const std::string& name, const std::string& query,
                           const Waiter& waiter) {
  const auto done = sql.run("prepare " + name + " as " + query, {}, "prepare", name, waiter);
  if (!done) return done.error();
  return {};
}

std::string asked(const char* holders) {
  return std::string("execute outbox_look_sequence; execute ") + holders +
         "; execute outbox_look_wal";
}

}  // namespace

core::Result<LookQueries> prepare_look(Connection& sql, const std::string& table,
                                       const std::string& sequence, const Waiter& waiter) {
  const std::pair<const char*, std::string> statements[] = {
      {"outbox_look_sequence", "select coalesce(pg_sequence_last_value(" + quote_literal(sequence) +
                                   "::regclass), 0) as last_value, pg_is_in_recovery() as "
                                   "in_recovery"},
      {"outbox_look_holders", holders_query(table, false)},
      {"outbox_look_names", holders_query(table, true)},
      {"outbox_look_wal",
       "select pg_current_wal_insert_lsn() as inserted, pg_current_wal_flush_lsn() as flushed"}};
  for (const auto& [name, query] : statements) {
    if (auto done = prepare(sql, name, query, waiter); !done) return done.error();
  }
  return LookQueries{asked("outbox_look_holders"), asked("outbox_look_names")};
}

core::Result<Look> read_look(std::span<const Rows> answers) {
  if (answers.size() != kStatements) {
    return core::Error{core::Fault::retry,
                       "LOOK",
                       "read",
                       "what was looked at",
                       std::to_string(answers.size()) + " results",
                       ""};
  }
  Look look;
  look.last_value = answers[0].number<uint64_t>("last_value");
  look.in_recovery = answers[0].truth("in_recovery");
  const Rows& holders = answers[1];
  for (int row = 0; row < holders.count(); ++row) {
    const auto text = [&](const char* column) { return holders.text(row, column).value_or(""); };
    look.holders.push_back({text("transaction"), text("renamed") == "t", text("who")});
  }
  look.inserted = answers[2].lsn("inserted");
  look.flushed = answers[2].lsn("flushed");
  return look;
}

}  // namespace outbox::postgres
