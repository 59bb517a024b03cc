#pragma once
// What [[source.<name>.capture]] says: a business table whose changes become events.
// relay/docs/business-tables.md explains it to users.

#include <cstdint>
#include <string>
#include <vector>

namespace outbox::app {

/// One entry of `when`.
struct CaptureCondition {
  enum class Kind : uint8_t { is, changed, changed_to };
  std::string column;
  Kind kind = Kind::is;
  std::string value;
  bool operator==(const CaptureCondition&) const = default;
};

struct CaptureConfig {
  std::string table_schema;
  std::string table_name;
  std::string aggregate_type;        // default: the table's name
  std::vector<std::string> key;      // the same for all that name the table
  std::vector<std::string> columns;  // empty: all
  bool before = false;
  std::string insert;  // event types; empty: the operation makes no event. One at least
  std::string update;
  std::string erase;
  std::vector<CaptureCondition> when;
  bool operator==(const CaptureConfig&) const = default;
};

}  // namespace outbox::app
