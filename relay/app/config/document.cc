#include "relay/app/config/document.h"

#include <stdexcept>

namespace outbox::app {
[[noreturn]] void refuse_assertion();
}

// The parser asserts what some files break ("[[[" is enough); a wrong file must not end the
// process.
#define TOML_ASSERT(expr) ((expr) ? void() : outbox::app::refuse_assertion())
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace outbox::app {
namespace {

Place place_of(const toml::source_region& region) {
  return Place{static_cast<uint32_t>(region.begin.line),
               static_cast<uint32_t>(region.begin.column)};
}

// A dotted key is a table in a table in a table, and everything that walks over those recurses.
constexpr ptrdiff_t kDotsInKeyMax = 64;

// Whether a line has more dots than any key before its "=" or its first quote.
bool nested_too_deeply(std::string_view toml) {
  while (!toml.empty()) {
    const std::string_view line = toml.substr(0, toml.find('\n'));
    const std::string_view key = line.substr(0, line.find_first_of("=\"'#"));
    if (std::count(key.begin(), key.end(), '.') > kDotsInKeyMax) return true;
    toml.remove_prefix(std::min(toml.size(), line.size() + 1));
  }
  return false;
}

Node convert(const toml::node& value);

// toml++ keeps tables sorted by key and gives a table made by a dotted key no place of its own.
Node convert_table(const toml::table& table) {
  Node node;
  node.kind = NodeKind::table;
  for (auto&& [key, value] : table) {
    node.entries.push_back(Entry{std::string(key.str()), place_of(key.source()), convert(value)});
  }
  std::stable_sort(node.entries.begin(), node.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.place < b.place; });
  return node;
}

Node convert_array(const toml::array& array) {
  Node node;
  node.kind = NodeKind::array;
  for (auto&& value : array) node.items.push_back(convert(value));
  return node;
}

Node convert(const toml::node& value) {
  Node node;
  if (const auto* table = value.as_table()) {
    node = convert_table(*table);
  } else if (const auto* array = value.as_array()) {
    node = convert_array(*array);
  } else if (const auto* text = value.as_string()) {
    node.kind = NodeKind::text;
    node.text = text->get();
  } else if (const auto* integer = value.as_integer()) {
    node.kind = NodeKind::integer;
    node.integer = integer->get();
  } else if (const auto* real = value.as_floating_point()) {
    node.kind = NodeKind::real;
    node.real = real->get();
  } else if (const auto* boolean = value.as_boolean()) {
    node.kind = NodeKind::boolean;
    node.boolean = boolean->get();
  } else {
    node.kind = NodeKind::time;
  }
  node.place = place_of(value.source());
  return node;
}

// The parser quotes numbers that it cannot hold; a value pasted without quotes may be a secret.
std::string described(const toml::parse_error& error) {
  const std::string text(error.description());
  if (text.find("is not representable") != std::string::npos) {
    return "this number does not fit into 64 bits";
  }
  return text;
}

}  // namespace

const char* to_string(NodeKind kind) {
  switch (kind) {
    case NodeKind::text:
      return "a string";
    case NodeKind::integer:
      return "an integer";
    case NodeKind::real:
      return "a floating-point number";
    case NodeKind::boolean:
      return "true or false";
    case NodeKind::time:
      return "a date or time";
    case NodeKind::array:
      return "an array";
    case NodeKind::table:
      return "a table";
  }
  return "?";
}

void refuse_assertion() { throw std::logic_error("the parser met what it did not expect"); }

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::optional<Node> parse_document(std::string_view toml, Problems& problems) {
  if (toml.size() > kDocumentBytesMax) {
    problems.push_back({{}, "the file is larger than 1 MiB", "This is not a config of the relay."});
    return std::nullopt;
  }
  if (nested_too_deeply(toml)) {
    problems.push_back({{}, "a key has more than 64 dots", "No key of the relay has so many."});
    return std::nullopt;
  }
  try {
    return convert_table(toml::parse(toml));
  } catch (const toml::parse_error& error) {
    problems.push_back({place_of(error.source()), "not valid TOML: " + described(error),
                        "Mend this first; what lies behind it was not looked at. Strings need "
                        "quotes, as in url = \"${DATABASE_URL}\"."});
    return std::nullopt;
  } catch (const std::logic_error& error) {
    problems.push_back({{},
                        std::string("not valid TOML: ") + error.what(),
                        "Look for a section's name that is empty or not closed, as \"[[\" is."});
    return std::nullopt;
  }
}

}  // namespace outbox::app
