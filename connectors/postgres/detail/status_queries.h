#pragma once
// StatusQueries: the statements of Mode::status, made for one table. Pure text; what they are for
// and why they are safe together says status_source.h.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "connectors/postgres/detail/pgoutput.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/shard_share.h"
#include "connectors/postgres/options.h"
#include "relay/core/event.h"

namespace outbox::postgres {

/// The column names as this table has them: it has no number, and need not have an event type.
ColumnNames names_of_status_table(const TableFacts& table, ColumnNames names);

class StatusQueries {
 public:
  StatusQueries() = default;
  StatusQueries(const TableFacts& table, const MarkingFacts& marking,
                const PostgresOptions& options);

  /// One transaction: `inserted`, the rows by COPY, `flushed`. READY rows of `shards` but those in
  /// `open` (the text of a uuid[]), the first `limit` of them.
  std::string read(const std::set<uint32_t>& shards, const std::string& open, uint64_t limit) const;

  /// `ready`: READY rows of `shards`, a million at the most: counting all of a long backlog would
  /// keep the session from reading it.
  std::string count(const std::set<uint32_t>& shards) const;

  /// $1: the ids as a uuid[].
  const std::string& mark_sent() const { return mark_sent_; }
  /// $1: the ids as a uuid[], $2: their causes as a text[].
  const std::string& mark_failed() const { return mark_failed_; }

  /// $1: ids. One of them that is still READY, or no row.
  const std::string& still_ready() const { return still_ready_; }

  /// Commits something of its own, which makes all that was written before it durable. `row`: one
  /// that is READY; it is locked for a moment where the role may not write a message into the WAL.
  std::string flush(const core::Uuid& row) const;

  /// `object`, `ours`: every lock of the pipeline (read_locks).
  std::string locks() const;
  /// Shared, for as long as the session lives.
  std::string be_member() const;
  /// `shard`, `held`, `at` (the server's clock in ms), one row each.
  std::string take(const std::vector<uint32_t>& shards) const;
  std::string release(uint32_t shard) const;

  /// What the rows of a read are like: names and types of the columns.
  std::vector<RelationColumn> columns() const;
  const ColumnNames& names() const { return names_; }

  /// What rows come in the order of; empty if the table has neither column.
  static std::string order_column(const TableFacts& table, const ColumnNames& names);

 private:
  std::string ready(const std::set<uint32_t>& shards) const;
  bool is_wanted(const std::string& name) const;
  std::string wanted_columns(const TableFacts& table);

  ColumnNames names_;
  uint32_t shards_ = 0;
  bool may_emit_ = false;
  std::string table_;
  std::string list_;   // of columns, each with its cast and a comma
  std::string shard_;  // the row's
  std::string time_;
  std::string order_;
  std::string status_;
  std::string id_;
  std::string class_;  // of the locks
  std::string mark_sent_;
  std::string mark_failed_;
  std::string still_ready_;
  std::vector<std::string> column_names_;
  std::vector<uint32_t> column_types_;
};

std::vector<ShardLock> read_locks(const Rows& rows);

}  // namespace outbox::postgres
