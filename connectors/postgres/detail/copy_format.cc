#include "connectors/postgres/detail/copy_format.h"

#include <utility>

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr uint16_t kTrailer = 0xffff;
constexpr uint32_t kNull = 0xffffffff;
constexpr int64_t kPostgresEpochUs = 946'684'800'000'000;  // 2000-01-01 UTC
// created_at is the application's to set. A record's timestamp far ahead or before 1970 is none.
constexpr int64_t kAheadMaxUs = int64_t{60} * 60 * 1'000'000;

}  // namespace

void CopyFormat::begin(size_t columns) {
  columns_ = columns;
  header_read_ = false;
}

CopyFormat::Piece CopyFormat::read(std::string_view message) {
  std::string_view bytes = message;
  if (!header_read_) {
    if (!bytes.starts_with(kSignature)) return broken("COPY does not begin with its signature");
    ByteCursor in(bytes.substr(kSignature.size()));
    in.u32();  // flags
    in.bytes(in.u32());
    if (!in.ok()) return broken("a cut header");
    bytes = bytes.substr(bytes.size() - in.left());
    header_read_ = true;
  }
  if (bytes.empty()) return Piece::nothing;
  ByteCursor in(bytes);
  const uint16_t count = in.u16();
  if (count == kTrailer && in.at_end()) return Piece::nothing;
  if (count != columns_) return broken(std::to_string(count) + " columns");
  values_.clear();
  for (uint16_t column = 0; column < count; ++column) {
    const uint32_t size = in.u32();
    if (size == kNull) {
      values_.push_back({ValueKind::null, {}});
    } else {
      values_.push_back({ValueKind::binary, in.bytes(size)});
    }
  }
  return in.at_end() ? Piece::row : broken("lengths that do not fit");
}

CopyFormat::Piece CopyFormat::broken(std::string what) {
  fault_ = std::move(what);
  return Piece::broken;
}

core::WallTime row_time(const Value& value, core::WallTime now) {
  if (value.kind == ValueKind::null || value.bytes.size() != sizeof(uint64_t)) return now;
  ByteCursor in(value.bytes);
  const auto since_2000 = static_cast<int64_t>(in.u64());
  if (since_2000 < -kPostgresEpochUs ||
      since_2000 > now.us - kPostgresEpochUs + kAheadMaxUs) {  // infinity too
    return now;
  }
  return core::WallTime{since_2000 + kPostgresEpochUs};
}

}  // namespace outbox::postgres
