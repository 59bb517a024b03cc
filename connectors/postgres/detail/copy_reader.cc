#include "connectors/postgres/detail/copy_reader.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

}  // namespace

Result<void> CopyReader::describe(const Relation& columns, const ColumnNames& names) {
  Result<OutboxTable> table = OutboxTable::from(columns, names);
  if (!table) return table.error();
  table_ = std::move(*table);
  columns_ = columns.columns.size();
  return {};
}

void CopyReader::begin(uint64_t after) {
  format_.begin(columns_ + 1);
  rows_ = 0;
  last_ = after;
}

Result<void> CopyReader::read(CopyBuffer& message, core::Batch& batch, core::WallTime now) {
  switch (format_.read(message.view())) {
    case CopyFormat::Piece::row:
      return read_row(message, batch, now);
    case CopyFormat::Piece::nothing:
      return {};
    case CopyFormat::Piece::broken:
      break;
  }
  return broken(format_.fault());
}

Result<void> CopyReader::read_row(CopyBuffer& message, core::Batch& batch, core::WallTime now) {
  const std::vector<Value>& values = format_.values();
  if (Result<void> read = table_->read(std::span(values).first(columns_), row_); !read) {
    Error error = read.error();
    error.detail += ", after seq " + std::to_string(last_);
    return error;
  }
  if (row_.seq <= last_) return broken("seq " + std::to_string(row_.seq) + " out of order");
  core::Item& item = batch.emplace_back();
  builder_.build(row_, message, item);
  item.event.position = {row_.seq, 0};
  item.event.commit_time = row_time(values.back(), now);
  last_ = row_.seq;
  ++rows_;
  ++events_;
  return {};
}

Error CopyReader::broken(const std::string& what) const {
  return {core::Fault::fatal,
          "PROTOCOL",
          "read rows of the outbox",
          "",
          "after seq " + std::to_string(last_) + " came a row with " + what,
          "Nothing is lost: the rows stay in the table. Report this with the server's version"};
}

}  // namespace outbox::postgres
