#pragma once
// RowChange: what an insert, an update or a delete tells of a row's columns before and after it, as
// text. Postgres does not always tell all: the row before is whole only with REPLICA IDENTITY FULL,
// and a large value that an update did not touch is not sent again. What was not told is `unknown`,
// which is not NULL and must never become it.
//
// Pure; views point into the message.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "connectors/postgres/detail/pgoutput.h"

namespace outbox::postgres {

enum class Operation : uint8_t { insert, update, erase };

struct Cell {
  enum class Kind : uint8_t { unknown, null, value };
  Kind kind = Kind::unknown;
  std::string_view text;

  bool known() const { return kind != Kind::unknown; }
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct RowChange {
  Operation operation = Operation::insert;
  OldRow old_kind = OldRow::none;
  std::span<const Value> old_row;
  std::span<const Value> row;  // empty for a delete

  static RowChange of(const Insert& insert);
  static RowChange of(const Update& update);
  static RowChange of(const Delete& erase);

  /// `identity`: the column is part of the replica identity, so that an update without an old row
  /// did not change it.
  Cell before(size_t column, bool identity) const;
  Cell after(size_t column, bool identity) const;

  bool has_after() const { return operation != Operation::erase; }
};

/// An update that changes the key is both of these, in this order.
RowChange delete_half(const RowChange& update);
RowChange insert_half(const RowChange& update);

}  // namespace outbox::postgres
