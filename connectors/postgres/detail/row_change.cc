#include "connectors/postgres/detail/row_change.h"

namespace outbox::postgres {
namespace {

Cell cell_of(const Value& value) {
  switch (value.kind) {
    case ValueKind::null:
      return {Cell::Kind::null, {}};
    case ValueKind::text:
      return {Cell::Kind::value, value.bytes};
    case ValueKind::unchanged:
    case ValueKind::binary:  // not asked for, see stream_start.h; CaptureTable refuses it
      break;
  }
  return {};
}

Cell old_cell(const RowChange& change, size_t column, bool identity) {
  const bool told = change.old_kind == OldRow::full || (change.old_kind == OldRow::key && identity);
  return told ? cell_of(change.old_row[column]) : Cell{};
}

}  // namespace

RowChange RowChange::of(const Insert& insert) {
  return {Operation::insert, OldRow::none, {}, insert.row};
}

RowChange RowChange::of(const Update& update) {
  return {Operation::update, update.old_kind, update.old_row, update.row};
}

RowChange RowChange::of(const Delete& erase) {
  return {Operation::erase, erase.old_kind, erase.old_row, {}};
}

Cell RowChange::before(size_t column, bool identity) const {
  if (operation == Operation::insert) return {};
  if (operation == Operation::update && old_kind == OldRow::none && identity) {
    return cell_of(row[column]);
  }
  return old_cell(*this, column, identity);
}

Cell RowChange::after(size_t column, bool identity) const {
  if (operation == Operation::erase) return {};
  const Value& value = row[column];
  if (value.kind != ValueKind::unchanged) return cell_of(value);
  return old_cell(*this, column, identity);  // it is what it was
}

RowChange delete_half(const RowChange& update) {
  RowChange half = update;
  half.operation = Operation::erase;
  half.row = {};
  return half;
}

// The old row stays: values that were not sent again are in it.
RowChange insert_half(const RowChange& update) {
  RowChange half = update;
  half.operation = Operation::insert;
  return half;
}

}  // namespace outbox::postgres
