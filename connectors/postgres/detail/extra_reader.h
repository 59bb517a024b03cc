#pragma once
// ExtraReader: one further column of the outbox table that a record's format needs, and its value
// as text. The text is what Debezium's connector makes of the type, since only formats that follow
// it ask for such columns:
//
//   text, enum, uuid, json, jsonb   as Postgres prints it
//   smallint, integer, bigint       decimal
//   boolean                         true or false
//   date                            days since 1970
//   timestamp                       microseconds since 1970, of the time as if it were UTC
//   timestamptz                     2026-01-02T03:04:05.678901Z
//
// Other types are refused at the start.

#include <cstdint>
#include <span>
#include <string>

#include "connectors/postgres/detail/pgoutput.h"
#include "connectors/postgres/options.h"
#include "relay/core/event.h"
#include "relay/core/result.h"

namespace outbox::postgres {

class ExtraReader {
 public:
  /// An Error names the column that is missing, or whose type cannot serve.
  static core::Result<ExtraReader> from(const Relation& relation, const ExtraColumn& column);

  /// Fills `extra`, whose text points into `values` or `scratch`. False: bytes that are not what
  /// the column's type says, or an unchanged TOAST value.
  bool read(std::span<const Value> values, std::string& scratch, core::Extra& extra) const;

 private:
  enum class Type : uint8_t { verbatim, jsonb, uuid, int2, int4, int8, boolean, date, time, zoned };

  bool read_text(std::string_view text, std::string& scratch, core::Extra& extra) const;
  bool read_binary(std::string_view bytes, std::string& scratch, core::Extra& extra) const;
  void put_time(int64_t since_1970_us, std::string& scratch, core::Extra& extra) const;
  bool read_time(uint64_t since_2000_us, std::string& scratch, core::Extra& extra) const;

  int index_ = -1;  // -1: the table has no such column
  Type type_ = Type::verbatim;
};

}  // namespace outbox::postgres
