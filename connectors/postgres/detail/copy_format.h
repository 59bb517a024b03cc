#pragma once
// CopyFormat: takes the messages of `COPY (select ...) TO STDOUT (FORMAT binary)` apart, one row
// each. Pure: no socket, no clock.
//
// Format ("Binary Format" under COPY in Postgres's manual), big-endian, in CopyData messages of one
// row each; the header comes in front of the first row or trailer, in the same message:
//
//   header   "PGCOPY\n\377\r\n\0"  u32 flags  u32 extension size, extension
//   row      u16 columns  columns x { u32 size (0xffffffff: NULL)  size bytes }
//   trailer  u16 0xffff

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/detail/pgoutput.h"
#include "relay/core/clock.h"

namespace outbox::postgres {

class CopyFormat {
 public:
  enum class Piece { row, nothing, broken };

  /// A COPY of rows with `columns` values begins.
  void begin(size_t columns);

  /// Reads one message. After `row`, values() are views into it.
  Piece read(std::string_view message);

  const std::vector<Value>& values() const { return values_; }

  /// What is wrong with the message that was `broken`.
  const std::string& fault() const { return fault_; }

 private:
  Piece broken(std::string what);

  size_t columns_ = 0;
  bool header_read_ = false;
  std::vector<Value> values_;
  std::string fault_;
};

/// A timestamptz (microseconds since 2000-01-01 UTC) as a record's time. `now` stands in for NULL
/// and for a time that no clock shows: an application may set the column to anything.
core::WallTime row_time(const Value& value, core::WallTime now);

}  // namespace outbox::postgres
