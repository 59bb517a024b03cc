#include "connectors/postgres/detail/status_queries.h"

#include <algorithm>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/outbox_table.h"

namespace outbox::postgres {
namespace {

constexpr uint32_t kText = 25;
constexpr uint64_t kCountedMost = 1'000'000;

template <typename Numbers>
std::string int_array(const Numbers& numbers) {
  std::string text;
  for (const uint32_t number : numbers) {
    text += (text.empty() ? "" : ",") + std::to_string(number);
  }
  return "'{" + text + "}'::int[]";
}

// How many rows have the status afterwards: a trigger may have kept the old one.
std::string counted(const std::string& update, const std::string& status) {
  return "with marked(status) as (" + update + ") select count(*) filter (where status = '" +
         status + "') as marked from marked";
}

const TableColumn* column_of(const TableFacts& table, const std::string& name) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const TableColumn& column) { return column.name == name; });
  return name.empty() || found == table.columns.end() ? nullptr : &*found;
}

}  // namespace

StatusQueries::StatusQueries(const TableFacts& table, const MarkingFacts& marking,
                             const PostgresOptions& options)
    : names_(names_of_status_table(table, options.columns)),
      shards_(options.shards),
      may_emit_(marking.may_emit),
      table_(table_sql(options.table)) {
  id_ = quote_identifier(names_.id);
  status_ = quote_identifier(names_.status);
  order_ = quote_identifier(order_column(table, names_));
  list_ = wanted_columns(table);
  // A row without a key is a key of its own.
  const std::string key =
      names_.aggregate_id.empty() ? "" : quote_identifier(names_.aggregate_id) + "::text, ";
  shard_ = "((hashtextextended(coalesce(" + key + id_ + "::text), 0) & 9223372036854775807) % " +
           std::to_string(shards_) + ")::int";
  class_ = "hashtext(" + quote_literal("outbox status " + options.pipeline) + ")";
  const bool told = column_of(table, names_.cause) != nullptr;
  mark_sent_ = counted("update " + table_ + " set " + status_ + " = 'SENT' where " + id_ +
                           " = any($1::uuid[]) and " + status_ + " = 'READY' returning " + status_,
                       "SENT");
  mark_failed_ = counted("update " + table_ + " t set " + status_ + " = 'FAIL'" +
                             (told ? ", " + quote_identifier(names_.cause) + " = m.cause" : "") +
                             " from unnest($1::uuid[], $2::text[]) as m(id, cause) where t." + id_ +
                             " = m.id and t." + status_ + " = 'READY' returning t." + status_,
                         "FAIL");
  still_ready_ = "select " + id_ + "::text as id from " + table_ + " where " + id_ +
                 " = any($1::uuid[]) and " + status_ + " = 'READY' limit 1";
}

ColumnNames names_of_status_table(const TableFacts& table, ColumnNames names) {
  if (names.event_type == ColumnNames{}.event_type && !column_of(table, names.event_type)) {
    names.event_type.clear();
  }
  names.seq.clear();  // rows are told apart by their id, and ordered by `order`
  return names;
}

std::string StatusQueries::order_column(const TableFacts& table, const ColumnNames& names) {
  if (!names.order.empty()) return names.order;
  return column_of(table, names.created_at) == nullptr ? "" : names.created_at;
}

bool StatusQueries::is_wanted(const std::string& name) const {
  for (size_t role = 0; role < kRoles; ++role) {
    if (column_name(names_, static_cast<Role>(role)) == name) return true;
  }
  return std::any_of(names_.extras.begin(), names_.extras.end(),
                     [&](const ExtraColumn& extra) { return extra.name == name; });
}

std::string StatusQueries::wanted_columns(const TableFacts& table) {
  std::string list;
  time_ = "null::timestamptz";
  for (const TableColumn& column : table.columns) {
    if (column.name == names_.created_at && column.type == "timestamp with time zone") {
      time_ = quote_identifier(column.name);
    }
    if (!is_wanted(column.name)) continue;
    // A cast to the type of now: were it altered, the statement would say so.
    list += quote_identifier(column.name) + "::" + column.type + ", ";
    column_names_.push_back(column.name);
    column_types_.push_back(column.is_enum ? kText : column.base_type);
  }
  return list;
}

std::vector<RelationColumn> StatusQueries::columns() const {
  std::vector<RelationColumn> columns;
  for (size_t i = 0; i < column_names_.size(); ++i) {
    columns.push_back({column_names_[i], column_types_[i], false});
  }
  return columns;
}

// The condition is left out when every shard is ours: it costs a hash a row.
std::string StatusQueries::ready(const std::set<uint32_t>& shards) const {
  std::string text = status_ + " = 'READY'";
  if (shards.size() < shards_) text += " and " + shard_ + " = any(" + int_array(shards) + ")";
  return text;
}

// The order of a key (invariant 3) rests on three things, as long as its shard is ours.
//
//  1. A read is one statement with one snapshot, taken in the order of (order column, id) and cut
//     only at its end. If B was published after A's commit was visible, whoever sees B sees A; and
//     with an order column that rises with each insert A stands before B. So a read that brings B
//     brings A before it, or A was handed out already.
//  2. Handed out and not marked rows are left out by their ids, never by "beyond the last one": a
//     row that was committed late, with a lower number, still comes.
//  3. What is handed out goes through one window in order, and a mark comes after it; a crash finds
//     every row READY that may not have arrived, and the next read brings them in the same order.
//
// created_at is the time its transaction began, not of the insert: of two transactions that overlap
// in time the later insert may stand first, and rows of one transaction are alike. That is what the
// warning ORDER_BY_TIME says.
//
// Ghosts (invariant 2): the snapshot of a repeatable read transaction is taken before its first
// statement is evaluated, and a row is visible only after its commit record was written into the
// WAL. So `inserted` covers every row of the COPY, and once the server has flushed that far, no
// crash takes one back.
//
// "is not true" instead of "<> all": hashed by every server we know; a list of thousands would be
// searched for each row otherwise.
std::string StatusQueries::read(const std::set<uint32_t>& shards, const std::string& open,
                                uint64_t limit) const {
  std::string rows =
      "select " + list_ + shard_ + ", " + time_ + " from " + table_ + " where " + ready(shards);
  if (open != "{}") rows += " and (" + id_ + " = any('" + open + "'::uuid[])) is not true";
  rows += " order by " + order_ + ", " + id_ + " limit " + std::to_string(limit);
  return "begin transaction isolation level repeatable read read only;"
         " select pg_current_wal_insert_lsn() as inserted;"
         " copy (" +
         rows +
         ") to stdout (format binary);"
         " select pg_current_wal_flush_lsn() as flushed;"
         " commit";
}

std::string StatusQueries::count(const std::set<uint32_t>& shards) const {
  return "select count(*) as ready from (select from " + table_ + " where " + ready(shards) +
         " limit " + std::to_string(kCountedMost) + ") r";
}

// Either writes a record under a transaction id, and only such a commit is flushed.
std::string StatusQueries::flush(const core::Uuid& row) const {
  if (may_emit_) return "select pg_logical_emit_message(true, 'outbox.flush', '')";
  return "select 1 from " + table_ + " where " + id_ + " = '" + core::to_string(row) +
         "' for key share";
}

std::string StatusQueries::locks() const {
  return "select objid::bigint as object, pid = pg_backend_pid() as ours from pg_locks"
         " where locktype = 'advisory' and granted and objsubid = 2"
         " and database = (select oid from pg_database where datname = current_database())"
         " and classid::bigint = (" +
         class_ + "::bigint & 4294967295)";
}

std::string StatusQueries::be_member() const {
  return "select pg_try_advisory_lock_shared(" + class_ + ", " +
         std::to_string(kMembers + shards_) + ") as held";
}

std::string StatusQueries::take(const std::vector<uint32_t>& shards) const {
  return "select shard, pg_try_advisory_lock(" + class_ +
         ", shard) as held, (extract(epoch from clock_timestamp()) * 1000)::bigint as at"
         " from unnest(" +
         int_array(shards) + ") as wanted(shard)";
}

std::string StatusQueries::release(uint32_t shard) const {
  return "select pg_advisory_unlock(" + class_ + ", " + std::to_string(shard) + ")";
}

std::vector<ShardLock> read_locks(const Rows& rows) {
  std::vector<ShardLock> locks;
  for (int row = 0; row < rows.count(); ++row) {
    locks.push_back({to_number<uint32_t>(rows.text(row, "object").value_or("")),
                     rows.text(row, "ours").value_or("") == "t"});
  }
  return locks;
}

}  // namespace outbox::postgres
