#include "connectors/postgres/detail/outbox_table.h"

#include <charconv>

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

// Oids of pg_type that are the same in every Postgres.
constexpr uint32_t kBytea = 17;
constexpr uint32_t kInt8 = 20;
constexpr uint32_t kInt2 = 21;
constexpr uint32_t kInt4 = 23;
constexpr uint32_t kUuid = 2950;
constexpr uint32_t kJsonb = 3802;
constexpr uint32_t kTextTypes[] = {18,  19,   25,
                                   114, 1042, 1043};  // char name text json bpchar varchar
constexpr uint32_t kFirstUserOid = 16384;  // enums and domains; the start checks what they are

constexpr uint8_t kJsonbVersion = 1;

bool is_text(uint32_t type) {
  for (const uint32_t text : kTextTypes) {
    if (type == text) return true;
  }
  return type >= kFirstUserOid;
}

template <typename Number>
void print_number(Number number, std::string& out) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  static_cast<void>(error);  // 24 characters hold every 64-bit number
  out.assign(digits, end);
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// bytea_output = 'hex': \x and two lower-case digits a byte.
bool unhex(std::string_view text, std::string& out) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  out.clear();
  for (size_t i = 2; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

core::Uuid uuid_of(std::string_view bytes) {
  core::Uuid id;
  bytes.copy(reinterpret_cast<char*>(id.bytes.data()), id.bytes.size());
  return id;
}

}  // namespace

const std::string& column_name(const ColumnNames& names, Role role) {
  switch (role) {
    case Role::seq:
      return names.seq;
    case Role::id:
      return names.id;
    case Role::aggregate_type:
      return names.aggregate_type;
    case Role::aggregate_id:
      return names.aggregate_id;
    case Role::event_type:
      return names.event_type;
    case Role::payload:
      return names.payload;
    case Role::payload_bytes:
      return names.payload_bytes;
    case Role::headers:
      break;
  }
  return names.headers;
}

std::optional<OutboxTable::Encoding> OutboxTable::encoding_for(Role role, uint32_t type) {
  const bool number = type == kInt8 || type == kInt4 || type == kInt2;
  switch (role) {
    case Role::seq:
      if (!number) return std::nullopt;
      break;
    case Role::id:
      if (type != kUuid && !is_text(type)) return std::nullopt;
      break;
    case Role::headers:
      if (type != kJsonb && !is_text(type)) return std::nullopt;
      break;
    default:
      break;
  }
  if (type == kJsonb) return Encoding::jsonb;
  if (type == kBytea) return Encoding::bytea;
  if (type == kUuid) return Encoding::uuid;
  if (type == kInt8) return Encoding::int8;
  if (type == kInt4) return Encoding::int4;
  if (type == kInt2) return Encoding::int2;
  return is_text(type) ? std::optional(Encoding::verbatim) : std::nullopt;
}

Result<OutboxTable> OutboxTable::from(const Relation& relation, const ColumnNames& names) {
  OutboxTable table;
  table.relation_ = relation.id;
  table.column_count_ = relation.columns.size();
  table.name_ = std::string(relation.schema) + "." + std::string(relation.name);
  table.names_ = names;
  const Result<void> mapped = table.map(relation);
  if (!mapped) return mapped.error();
  return table;
}

Result<void> OutboxTable::map(const Relation& relation) {
  for (size_t r = 0; r < kRoles; ++r) {
    const Role role = static_cast<Role>(r);
    const std::string& name = column_name(names_, role);
    for (size_t i = 0; i < relation.columns.size() && !name.empty(); ++i) {
      if (relation.columns[i].name != name) continue;
      const auto encoding = encoding_for(role, relation.columns[i].type);
      if (!encoding) {
        return Error{core::Fault::fatal,
                     "COLUMN_TYPE",
                     "read table",
                     name_,
                     "column \"" + name + "\" has a type (oid " +
                         std::to_string(relation.columns[i].type) + ") that cannot be used for it",
                     "Map another column in [source.<name>.columns], or change its type"};
      }
      columns_[r] = {static_cast<int>(i), *encoding};
    }
  }
  for (const Role role :
       {Role::id, Role::aggregate_type, Role::aggregate_id, Role::event_type, Role::payload}) {
    if (column(role).index >= 0) continue;
    if (role == Role::event_type && names_.event_type.empty()) continue;
    if (role == Role::payload && column(Role::payload_bytes).index >= 0) continue;
    return Error{core::Fault::fatal,
                 "COLUMN_MISSING",
                 "read table",
                 name_,
                 "there is no column \"" + column_name(names_, role) + "\"",
                 "Add it, or name another in [source.<name>.columns], and start again: nothing is "
                 "lost, the slot keeps the events"};
  }
  return {};
}

OutboxTable::Taken OutboxTable::binary(Encoding encoding, std::string_view bytes,
                                       std::string& scratch) {
  ByteCursor in(bytes);
  switch (encoding) {
    case Encoding::verbatim:
    case Encoding::bytea:
      return {bytes, Fault::none};
    case Encoding::jsonb:
      if (in.u8() != kJsonbVersion) return {{}, Fault::malformed};
      return {bytes.substr(1), Fault::none};
    case Encoding::uuid:
      if (bytes.size() != sizeof(core::Uuid)) return {{}, Fault::malformed};
      scratch = core::to_string(uuid_of(bytes));
      return {scratch, Fault::none};
    case Encoding::int2:
      print_number(static_cast<int16_t>(in.u16()), scratch);
      break;
    case Encoding::int4:
      print_number(static_cast<int32_t>(in.u32()), scratch);
      break;
    case Encoding::int8:
      print_number(static_cast<int64_t>(in.u64()), scratch);
      break;
  }
  if (!in.at_end()) return {{}, Fault::malformed};
  return {scratch, Fault::none};
}

OutboxTable::Taken OutboxTable::text(Encoding encoding, std::string_view bytes,
                                     std::string& scratch) {
  if (encoding != Encoding::bytea) return {bytes, Fault::none};
  if (!unhex(bytes, scratch)) return {{}, Fault::malformed};
  return {scratch, Fault::none};
}

OutboxTable::Taken OutboxTable::take(Role role, std::span<const Value> values,
                                     OutboxRow& row) const {
  const Column& column = columns_[static_cast<size_t>(role)];
  if (column.index < 0) return {};
  const Value& value = values[static_cast<size_t>(column.index)];
  std::string& scratch = row.scratch[static_cast<size_t>(role)];
  switch (value.kind) {
    case ValueKind::null:
      return {};
    case ValueKind::unchanged:
      return {{}, Fault::unchanged};
    case ValueKind::text:
      return text(column.encoding, value.bytes, scratch);
    case ValueKind::binary:
      break;
  }
  return binary(column.encoding, value.bytes, scratch);
}

bool OutboxTable::read_id(std::span<const Value> values, OutboxRow& row) const {
  const Value& value = values[static_cast<size_t>(column(Role::id).index)];
  if (value.kind == ValueKind::binary && column(Role::id).encoding == Encoding::uuid) {
    if (value.bytes.size() != sizeof(core::Uuid)) return false;
    row.id = uuid_of(value.bytes);
    return true;
  }
  if (value.kind != ValueKind::binary && value.kind != ValueKind::text) return false;
  const auto id = core::parse_uuid(value.bytes);
  if (id) row.id = *id;
  return id.has_value();
}

bool OutboxTable::read_seq(std::span<const Value> values, OutboxRow& row) const {
  row.seq = 0;
  if (column(Role::seq).index < 0) return true;
  const Value& value = values[static_cast<size_t>(column(Role::seq).index)];
  if (value.kind == ValueKind::null) return true;
  if (value.kind == ValueKind::binary && column(Role::seq).encoding == Encoding::int8) {
    ByteCursor in(value.bytes);
    row.seq = in.u64();
    return in.at_end();
  }
  const Taken taken = take(Role::seq, values, row);
  if (!taken.bytes) return false;
  const char* end = taken.bytes->data() + taken.bytes->size();
  const auto [stop, error] = std::from_chars(taken.bytes->data(), end, row.seq);
  return error == std::errc() && stop == end;
}

Result<void> OutboxTable::read(std::span<const Value> values, OutboxRow& row) const {
  if (values.size() != column_count_) {
    return Error{core::Fault::fatal,
                 "ROW_SHAPE",
                 "read a row of",
                 name_,
                 "it has " + std::to_string(values.size()) +
                     " values, the table was described "
                     "with " +
                     std::to_string(column_count_),
                 ""};
  }
  if (!read_id(values, row)) return refusal(Role::id, values, row);
  if (!read_seq(values, row)) return refusal(Role::seq, values, row);
  const Taken type = take(Role::aggregate_type, values, row);
  const Taken key = take(Role::aggregate_id, values, row);
  const Taken event_type = take(Role::event_type, values, row);
  const Taken headers = take(Role::headers, values, row);
  const Taken payload = take(Role::payload, values, row);
  const Taken payload_bytes = take(Role::payload_bytes, values, row);
  const std::pair<Role, Fault> faults[] = {
      {Role::aggregate_type, type.fault},   {Role::aggregate_id, key.fault},
      {Role::event_type, event_type.fault}, {Role::headers, headers.fault},
      {Role::payload, payload.fault},       {Role::payload_bytes, payload_bytes.fault}};
  for (const auto& [role, fault] : faults) {
    if (fault != Fault::none) [[unlikely]]
      return refusal(role, values, row);
  }
  row.aggregate_type = type.bytes.value_or(std::string_view{});
  row.aggregate_id = key.bytes;
  row.event_type = event_type.bytes.value_or(std::string_view{});
  row.headers = headers.bytes.value_or(std::string_view{});
  row.payload = payload_bytes.bytes ? payload_bytes.bytes : payload.bytes;
  return {};
}

Error OutboxTable::refusal(Role role, std::span<const Value> values, OutboxRow& row) const {
  const Value& value = values[static_cast<size_t>(column(role).index)];
  const std::string quoted = "column \"" + column_name(names_, role) + "\" ";
  Error error{core::Fault::fatal, "ROW_MALFORMED", "read a row of", name_, "", ""};
  if (value.kind == ValueKind::null) {
    error.code = "ROW_WITHOUT_ID";
    error.detail = quoted + "is NULL, and an event without it cannot be told from another";
    error.hint = "Make the column NOT NULL";
  } else if (value.kind == ValueKind::unchanged) {
    error.code = "UNCHANGED_TOAST";
    error.detail = quoted + "was not sent (unchanged TOAST); it is not NULL and must not become it";
  } else {
    error.detail = quoted + "holds " + std::to_string(value.bytes.size()) +
                   " bytes that are not what its type says";
    if (role == Role::id) error.hint = "Ids must be UUIDs";
  }
  if (row.seq != 0) error.detail += " (seq " + std::to_string(row.seq) + ")";
  return error;
}

}  // namespace outbox::postgres
