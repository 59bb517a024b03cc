#pragma once
// Reads the [[source.<name>.capture]] of a source. Notes what is wrong and goes on, as all readers
// of sections do (sections.h).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/app/config/config.h"
#include "relay/app/config/table_reader.h"

namespace outbox::app {

/// `source`: as far as it was read; its mode and table are looked at.
std::vector<CaptureConfig> read_captures(TableReader& reader, const SourceConfig& source);

/// Whether Postgres takes it for the name of a table or a schema, unquoted or not.
bool legal_identifier(std::string_view name);

/// "schema.name" in its two parts. Nothing, and a problem noted, if it is not that. `key` is the
/// one that `name` is the value of: "call" names a function, the others a table.
struct TableNames {
  std::string schema;
  std::string name;
};
std::optional<TableNames> table_names(const Text& name, const std::string& key,
                                      const std::string& title, const std::string& example,
                                      LoadContext& context);

}  // namespace outbox::app
