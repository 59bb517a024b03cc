#include "connectors/postgres/detail/extra_reader.h"

#include <array>
#include <limits>
#include <utility>

#include "connectors/postgres/detail/byte_cursor.h"
#include "connectors/postgres/detail/iso_text.h"
#include "relay/core/time_text.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Extra;
using core::Result;

constexpr uint32_t kTimestamp = 1114;
constexpr uint32_t kTimestamptz = 1184;
constexpr uint32_t kFirstUserOid = 16384;  // enums and domains
constexpr int64_t kEpochDays = 10'957;     // from 1970 to 2000
constexpr int64_t kEpochUs = 946'684'800'000'000;
constexpr uint8_t kJsonbVersion = 1;

Error refused(const ExtraColumn& column, std::string code, const std::string& why,
              std::string hint) {
  return Error{core::Fault::fatal,
               std::move(code),
               "read table",
               "",
               "column \"" + column.name + "\" of a route's `debezium` " + why,
               std::move(hint)};
}

}  // namespace

Result<ExtraReader> ExtraReader::from(const Relation& relation, const ExtraColumn& column) {
  constexpr std::pair<uint32_t, Type> kTypes[] = {
      {18, Type::verbatim},  {19, Type::verbatim},     {25, Type::verbatim},
      {114, Type::verbatim}, {1042, Type::verbatim},   {1043, Type::verbatim},
      {3802, Type::jsonb},   {2950, Type::uuid},       {21, Type::int2},
      {23, Type::int4},      {20, Type::int8},         {16, Type::boolean},
      {1082, Type::date},    {kTimestamp, Type::time}, {kTimestamptz, Type::zoned}};
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].name != column.name) continue;
    const uint32_t oid = relation.columns[i].type;
    ExtraReader reader;
    reader.index_ = static_cast<int>(i);
    bool known = oid >= kFirstUserOid;
    for (const auto& [type_oid, type] : kTypes) {
      if (type_oid != oid) continue;
      known = true;
      reader.type_ = type;
    }
    const bool time = reader.type_ == Type::time || reader.type_ == Type::zoned;
    if (known && (time || column.use == ExtraColumn::Use::any)) return reader;
    return refused(column, "COLUMN_TYPE",
                   "has a type (oid " + std::to_string(oid) + ") that cannot be used for it",
                   column.use == ExtraColumn::Use::time
                       ? "Name a column of type timestamp or timestamptz"
                       : "Name a text, number, boolean, uuid, json, date or timestamp column");
  }
  if (column.absence == ExtraColumn::Absence::passed_over) return ExtraReader();
  return refused(column, "COLUMN_MISSING", "is not there",
                 "Add it, or take it out of the route; additional_error_on_missing = false passes "
                 "over it");
}

bool ExtraReader::read(std::span<const Value> values, std::string& scratch, Extra& extra) const {
  extra = Extra{};
  if (index_ < 0) {
    extra.kind = Extra::Kind::absent;
    return true;
  }
  const Value& value = values[static_cast<size_t>(index_)];
  switch (value.kind) {
    case ValueKind::null:
      return true;
    case ValueKind::unchanged:
      return false;
    case ValueKind::text:  // of types without a binary form, or of all (stream_start.h)
      return read_text(value.bytes, scratch, extra);
    case ValueKind::binary:
      break;
  }
  return read_binary(value.bytes, scratch, extra);
}

bool ExtraReader::read_text(std::string_view text, std::string& scratch, Extra& extra) const {
  switch (type_) {
    case Type::verbatim:
    case Type::jsonb:
    case Type::uuid:
      extra.text = text;
      return true;
    case Type::int2:
    case Type::int4:
    case Type::int8:
      extra.text = text;
      extra.kind = Extra::Kind::number;
      return true;
    case Type::boolean:
      extra.text = text == "t" ? "true" : "false";
      extra.kind = Extra::Kind::boolean;
      return text == "t" || text == "f";
    case Type::date: {
      const auto days = days_of_text(text);
      if (!days) return false;
      scratch = std::to_string(*days);
      extra.text = scratch;
      extra.kind = Extra::Kind::number;
      return true;
    }
    case Type::time:
    case Type::zoned:
      break;
  }
  if (text == "infinity" || text == "-infinity") return true;  // as NULL
  const auto us = microseconds_of_text(text);
  if (us) put_time(*us, scratch, extra);
  return us.has_value();
}

bool ExtraReader::read_binary(std::string_view bytes, std::string& scratch, Extra& extra) const {
  ByteCursor in(bytes);
  const auto number = [&](int64_t value) {
    scratch = std::to_string(value);
    extra.text = scratch;
    extra.kind = Extra::Kind::number;
  };
  switch (type_) {
    case Type::verbatim:
      extra.text = bytes;
      return true;
    case Type::jsonb:
      if (in.u8() != kJsonbVersion) return false;
      extra.text = bytes.substr(1);
      return true;
    case Type::uuid: {
      core::Uuid id;
      if (bytes.size() != id.bytes.size()) return false;
      bytes.copy(reinterpret_cast<char*>(id.bytes.data()), id.bytes.size());
      scratch = core::to_string(id);
      extra.text = scratch;
      return true;
    }
    case Type::int2:
      number(static_cast<int16_t>(in.u16()));
      break;
    case Type::int4:
      number(static_cast<int32_t>(in.u32()));
      break;
    case Type::int8:
      number(static_cast<int64_t>(in.u64()));
      break;
    case Type::date:
      number(static_cast<int32_t>(in.u32()) + kEpochDays);
      break;
    case Type::boolean:
      scratch = in.u8() != 0 ? "true" : "false";
      extra.text = scratch;
      extra.kind = Extra::Kind::boolean;
      break;
    case Type::time:
    case Type::zoned:
      return read_time(in.u64(), scratch, extra) && in.at_end();
  }
  return in.at_end();
}

bool ExtraReader::read_time(uint64_t since_2000_us, std::string& scratch, Extra& extra) const {
  const auto us = static_cast<int64_t>(since_2000_us);
  const bool finite =
      us != std::numeric_limits<int64_t>::max() && us != std::numeric_limits<int64_t>::min();
  if (!finite) return true;  // infinity is no time of a record: as NULL
  put_time(us <= std::numeric_limits<int64_t>::max() - kEpochUs ? us + kEpochUs : us, scratch,
           extra);
  return true;
}

void ExtraReader::put_time(int64_t since_1970_us, std::string& scratch, Extra& extra) const {
  extra.time.us = since_1970_us;
  extra.kind = Extra::Kind::time;
  scratch = type_ == Type::zoned ? core::to_rfc3339(extra.time, core::Fraction::six_digits)
                                 : std::to_string(extra.time.us);
  extra.text = scratch;
}

}  // namespace outbox::postgres
