#include "connectors/postgres/detail/copy_reader.h"

#include <limits>

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr uint16_t kTrailer = 0xffff;
constexpr uint32_t kNull = 0xffffffff;
constexpr int64_t kPostgresEpochUs = 946'684'800'000'000;  // 2000-01-01 UTC
// created_at is the application's to set. A record's timestamp far ahead or before 1970 is none.
constexpr int64_t kAheadMaxUs = int64_t{60} * 60 * 1'000'000;

core::WallTime time_of(const Value& value, core::WallTime now) {
  if (value.kind == ValueKind::null || value.bytes.size() != sizeof(uint64_t)) return now;
  ByteCursor in(value.bytes);
  const auto since_2000 = static_cast<int64_t>(in.u64());
  if (since_2000 < -kPostgresEpochUs ||
      since_2000 > now.us - kPostgresEpochUs + kAheadMaxUs) {  // infinity too
    return now;
  }
  return core::WallTime{since_2000 + kPostgresEpochUs};
}

}  // namespace

Result<void> CopyReader::describe(const Relation& columns, const ColumnNames& names) {
  Result<OutboxTable> table = OutboxTable::from(columns, names);
  if (!table) return table.error();
  table_ = std::move(*table);
  columns_ = columns.columns.size();
  return {};
}

void CopyReader::begin(uint64_t after) {
  header_read_ = false;
  rows_ = 0;
  last_ = after;
}

Result<void> CopyReader::read(CopyBuffer& message, core::Batch& batch, core::WallTime now) {
  std::string_view bytes = message.view();
  if (!header_read_) {
    if (!bytes.starts_with(kSignature)) return broken("COPY does not begin with its signature");
    ByteCursor in(bytes.substr(kSignature.size()));
    in.u32();  // flags
    in.bytes(in.u32());
    if (!in.ok()) return broken("a cut header");
    bytes = bytes.substr(bytes.size() - in.left());
    header_read_ = true;
  }
  if (bytes.empty()) return {};
  return read_row(bytes, message, batch, now);
}

Result<void> CopyReader::read_row(std::string_view row, CopyBuffer& message, core::Batch& batch,
                                  core::WallTime now) {
  ByteCursor in(row);
  const uint16_t count = in.u16();
  if (count == kTrailer && in.at_end()) return {};
  if (count != columns_ + 1) return broken(std::to_string(count) + " columns");
  values_.clear();
  for (uint16_t column = 0; column < count; ++column) {
    const uint32_t size = in.u32();
    if (size == kNull) {
      values_.push_back({ValueKind::null, {}});
    } else {
      values_.push_back({ValueKind::binary, in.bytes(size)});
    }
  }
  if (!in.at_end()) return broken("lengths that do not fit");
  if (Result<void> read = table_->read(std::span(values_).first(columns_), row_); !read) {
    Error error = read.error();
    error.detail += ", after seq " + std::to_string(last_);
    return error;
  }
  if (row_.seq <= last_) return broken("seq " + std::to_string(row_.seq) + " out of order");
  core::Item& item = batch.emplace_back();
  builder_.build(row_, message, item);
  item.event.position = {row_.seq, 0};
  item.event.commit_time = time_of(values_.back(), now);
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
