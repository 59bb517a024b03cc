#pragma once
// OutboxTable: which column of the outbox table means what, as the last Relation message described
// it, and how its bytes become an event's. Built anew whenever Postgres sends a Relation (the first
// row of a session, and after ALTER TABLE), so order and number of columns do not matter, and
// columns that nobody mapped are passed over.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/detail/extra_reader.h"
#include "connectors/postgres/detail/pgoutput.h"
#include "connectors/postgres/options.h"
#include "relay/core/event.h"
#include "relay/core/result.h"

namespace outbox::postgres {

enum class Role : uint8_t {
  seq,
  id,
  aggregate_type,
  aggregate_id,
  event_type,
  payload,
  payload_bytes,
  headers,
};
inline constexpr size_t kRoles = 8;

const std::string& column_name(const ColumnNames& names, Role role);

/// What the role is called in the config.
const char* role_name(Role role);

/// What one row says, before it is an event. Views point into the row's message or, where a value
/// had to be rewritten (a number as text), into `scratch`. Reused, so that a row allocates nothing.
struct OutboxRow {
  core::Uuid id;
  uint64_t seq = 0;
  std::string_view aggregate_type;
  std::optional<std::string_view> aggregate_id;
  std::string_view event_type;
  std::optional<std::string_view> payload;
  std::string_view headers;  // JSON text; empty when there is none
  core::PayloadKind payload_kind = core::PayloadKind::bytes;
  std::vector<core::Extra> extras;  // as ColumnNames::extras; views as above

  std::array<std::string, kRoles> scratch;
  std::vector<std::string> extra_scratch;
};

class OutboxTable {
 public:
  /// An Error names the column that is missing, or whose type cannot serve.
  static core::Result<OutboxTable> from(const Relation& relation, const ColumnNames& names);

  uint32_t relation() const { return relation_; }

  /// Reads `values` into `row`. An Error names the column: NULL where an event needs a value, an
  /// unchanged TOAST value (which is not NULL and must never become it), bytes that are not what
  /// the column's type says.
  core::Result<void> read(std::span<const Value> values, OutboxRow& row) const;

 private:
  enum class Encoding : uint8_t { verbatim, jsonb, bytea, uuid, int2, int4, int8 };
  enum class Fault : uint8_t { none, unchanged, malformed };

  struct Column {
    int index = -1;  // -1: the table has no such column
    Encoding encoding = Encoding::verbatim;
    core::PayloadKind kind = core::PayloadKind::bytes;
  };

  struct Taken {
    std::optional<std::string_view> bytes;
    Fault fault = Fault::none;
  };

  static std::optional<Encoding> encoding_for(Role role, uint32_t type);
  static Taken binary(Encoding encoding, std::string_view bytes, std::string& scratch);
  static Taken text(Encoding encoding, std::string_view bytes, std::string& scratch);

  core::Result<void> map(const Relation& relation);
  core::Result<void> map_extras(const Relation& relation);
  core::Result<void> read_extras(std::span<const Value> values, OutboxRow& row) const;
  bool may_lack(Role role) const;
  Taken take(Role role, std::span<const Value> values, OutboxRow& row) const;
  bool read_id(std::span<const Value> values, OutboxRow& row) const;
  bool read_seq(std::span<const Value> values, OutboxRow& row) const;
  core::Error refusal(Role role, std::span<const Value> values, OutboxRow& row) const;
  const Column& column(Role role) const { return columns_[static_cast<size_t>(role)]; }

  uint32_t relation_ = 0;
  size_t column_count_ = 0;
  std::array<Column, kRoles> columns_;
  std::vector<ExtraReader> extras_;
  std::string name_;  // "outbox.event", for errors
  ColumnNames names_;
};

}  // namespace outbox::postgres
