#pragma once
// CopyReader: rows of the outbox table as `COPY (select ...) TO STDOUT (FORMAT binary)` sends them,
// as events. Pure: no socket, no clock; the conversation is PollSource's.
//
// Columns: those that were given, in their order, then the row's time as timestamptz (microseconds
// since 2000-01-01 UTC) or NULL.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/copy_buffer.h"
#include "connectors/postgres/detail/copy_format.h"
#include "connectors/postgres/detail/event_builder.h"
#include "connectors/postgres/detail/outbox_table.h"
#include "connectors/postgres/options.h"
#include "relay/core/result.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class CopyReader {
 public:
  explicit CopyReader(core::ChunkPool& pool) : builder_(pool) {}

  /// What the columns mean, as OutboxTable reads a Relation. From now on rows look like that.
  core::Result<void> describe(const Relation& columns, const ColumnNames& names);

  /// A COPY begins. Its rows come in the order of their numbers, above `after`.
  void begin(uint64_t after);

  /// Reads one message; appends at most one event. `now` is the time of rows that have none of
  /// their own, or one that no clock shows. An Error is fatal and names the row.
  core::Result<void> read(CopyBuffer& message, core::Batch& batch, core::WallTime now);

  /// Rows since begin(), and the number of the last one (or `after`).
  uint64_t rows() const { return rows_; }
  uint64_t last() const { return last_; }

  uint64_t events() const { return events_; }

 private:
  core::Result<void> read_row(CopyBuffer& message, core::Batch& batch, core::WallTime now);
  core::Error broken(const std::string& what) const;

  EventBuilder builder_;
  std::optional<OutboxTable> table_;
  size_t columns_ = 0;
  CopyFormat format_;
  OutboxRow row_;
  uint64_t rows_ = 0;
  uint64_t last_ = 0;
  uint64_t events_ = 0;
};

}  // namespace outbox::postgres
