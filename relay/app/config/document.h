#pragma once
// Document: a TOML file as a tree of nodes that know their place. The one place that meets the TOML
// library, so nothing else depends on its types.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/app/config/problem.h"

namespace outbox::app {

enum class NodeKind : uint8_t { text, integer, real, boolean, time, array, table };

/// "a string", "a table", ... for messages.
const char* to_string(NodeKind kind);

struct Entry;

/// One value. Which fields count depends on `kind`.
struct Node {
  NodeKind kind = NodeKind::table;
  Place place;
  std::string text;
  int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<Node> items;     // array
  std::vector<Entry> entries;  // table, in the order of the file

  /// The value of `key` in a table; null when it is not there.
  const Node* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Node value;
};

/// A config file larger than this is not one.
inline constexpr size_t kDocumentBytesMax = 1024 * 1024;

/// The whole file as a table. On a syntax error adds one problem (a parser cannot go on behind it)
/// and returns nothing.
std::optional<Node> parse_document(std::string_view toml, Problems& problems);

}  // namespace outbox::app
