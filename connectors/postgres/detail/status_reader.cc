#include "connectors/postgres/detail/status_reader.h"

#include <utility>

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {

using core::Error;
using core::Result;

Result<void> StatusReader::describe(const Relation& columns, const ColumnNames& names) {
  Result<OutboxTable> table = OutboxTable::from(columns, names);
  if (!table) return table.error();
  table_ = std::move(*table);
  columns_ = columns.columns.size();
  return {};
}

Result<std::optional<ReadRow>> StatusReader::read(CopyBuffer& message, core::WallTime now) {
  switch (format_.read(message.view())) {
    case CopyFormat::Piece::nothing:
      return std::optional<ReadRow>();
    case CopyFormat::Piece::broken:
      return Error{core::Fault::fatal,
                   "PROTOCOL",
                   "read rows of the outbox",
                   "",
                   "there came a row with " + format_.fault(),
                   "Nothing is lost: the rows stay READY. Report this with the server's version"};
    case CopyFormat::Piece::row:
      break;
  }
  const std::vector<Value>& values = format_.values();
  if (Result<void> read = table_->read(std::span(values).first(columns_), row_); !read) {
    Error error = read.error();
    error.detail += ", in the row with id " + core::to_string(row_.id);
    return error;
  }
  ReadRow read;
  ByteCursor shard(values[columns_].bytes);
  read.shard = shard.u32();
  builder_.build(row_, message, read.item);
  read.item.event.commit_time = row_time(values[columns_ + 1], now);
  return std::optional(std::move(read));
}

}  // namespace outbox::postgres
