#pragma once
// CaptureTable: one business table as its last Relation message described it, and the rules that
// name it: which events a row change makes. Built anew whenever Postgres sends a Relation, so an
// ALTER TABLE takes effect with the first row behind it.
//
// An update that changes the key is a delete of the old key and an insert of the new one: two
// events, in this order, by the rules for delete and for insert.
//
// Lifetime: borrows the rules. Thread: the pipeline's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/detail/pgoutput.h"
#include "connectors/postgres/detail/row_change.h"
#include "connectors/postgres/options.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// How a column's text stands in JSON. The last two are text whose cast to text differs from what
/// the type's output function prints, which is what the WAL stream has.
enum class JsonForm : uint8_t { text, truth, number, json, blank_padded, address };

/// Of an address what the cast to text adds: "/32" or "/128" behind a host's.
std::string_view text_suffix(std::string_view text, JsonForm form);

struct CapturedColumn {
  std::string name;
  std::string member;  // the name as JSON, with its colon
  JsonForm form = JsonForm::text;
  bool identity = false;  // part of the replica identity
};

/// What a rule makes of one change. Views point into the change's message, the rule, or `key_text`.
struct CapturedEvent {
  const CaptureRule* rule = nullptr;  // null: no event
  std::string_view event_type;
  std::optional<std::string_view> key;  // nullopt: NULL
  RowChange change;
  std::span<const size_t> columns;  // to be told
  std::string key_text;             // reused, so that an event allocates nothing
};

/// Of a change that makes one event, the first.
using CapturedEvents = std::array<CapturedEvent, 2>;

class CaptureTable {
 public:
  /// `rules`: those that name the relation. An Error names the column that a key or a condition
  /// needs and the table has not.
  static core::Result<CaptureTable> from(const Relation& relation,
                                         std::vector<const CaptureRule*> rules);

  const std::string& name() const { return name_; }
  std::span<const CapturedColumn> columns() const { return columns_; }

  /// A column as its cast to text has it, but for text_suffix().
  Cell before(const RowChange& change, size_t column) const;
  Cell after(const RowChange& change, size_t column) const;

  /// Columns that a rule wants to tell and the table does not have: they are left out.
  const std::vector<std::string>& lacking() const { return lacking_; }

  /// An Error names the column without which a rule cannot be judged.
  core::Result<void> read(const RowChange& change, CapturedEvents& events) const;

 private:
  struct Condition {
    const CaptureCondition* says = nullptr;
    size_t column = 0;
  };
  struct MappedRule {
    const CaptureRule* rule = nullptr;
    std::vector<size_t> columns;
    std::vector<Condition> when;
  };
  enum class Verdict : uint8_t { holds, fails, unknown };

  core::Result<void> map(const CaptureRule& rule);
  std::optional<size_t> find(std::string_view column) const;
  core::Result<void> check_shape(const RowChange& change) const;
  bool key_changes(const RowChange& update) const;
  core::Result<void> match(const RowChange& change, CapturedEvent& event) const;
  core::Result<bool> fits(const MappedRule& rule, const RowChange& change) const;
  Verdict judge(const Condition& condition, const RowChange& change) const;
  core::Result<void> take_key(CapturedEvent& event) const;
  Cell cell(const RowChange& change, size_t column) const;
  core::Error error(std::string code, std::string what, std::string remedy) const;

  std::string name_;  // "shop.orders"
  std::vector<CapturedColumn> columns_;
  std::vector<MappedRule> rules_;
  std::vector<size_t> key_;
  std::vector<std::string> lacking_;
};

}  // namespace outbox::postgres
