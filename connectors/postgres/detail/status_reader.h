#pragma once
// StatusReader: rows of a read in Mode::status as events. Pure: no socket, no clock; the
// conversation is StatusSource's.
//
// Columns of the COPY: those that were given, in their order, then the row's shard as int4, then
// its time as timestamptz or NULL (copy_format.h).

#include <cstdint>
#include <optional>

#include "connectors/postgres/detail/copy_buffer.h"
#include "connectors/postgres/detail/copy_format.h"
#include "connectors/postgres/detail/event_builder.h"
#include "connectors/postgres/detail/outbox_table.h"
#include "relay/core/result.h"
#include "relay/core/source.h"

namespace outbox::postgres {

/// An event without a position yet, and the shard of its key.
struct ReadRow {
  core::Item item;
  uint32_t shard = 0;
};

class StatusReader {
 public:
  explicit StatusReader(core::ChunkPool& pool) : builder_(pool) {}

  /// What the columns mean, as OutboxTable reads a Relation. From now on rows look like that.
  core::Result<void> describe(const Relation& columns, const ColumnNames& names);

  void begin() { format_.begin(columns_ + 2); }

  /// Reads one message, at most one row. `now` is the time of rows that have none of their own. An
  /// Error is fatal and names the row.
  core::Result<std::optional<ReadRow>> read(CopyBuffer& message, core::WallTime now);

 private:
  EventBuilder builder_;
  std::optional<OutboxTable> table_;
  size_t columns_ = 0;
  CopyFormat format_;
  OutboxRow row_;
};

}  // namespace outbox::postgres
