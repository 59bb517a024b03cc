#include "relay/app/config/read_capture.h"

#include <algorithm>
#include <string_view>

#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

// As outbox.check_event() has it.
constexpr size_t kAggregateTypeMax = 200;
constexpr size_t kEventTypeMax = 255;
constexpr size_t kIdentifierBytesMax = 63;

bool names_topic(std::string_view text) {
  return !text.empty() && text.size() <= kAggregateTypeMax && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

bool names_event(std::string_view text) {
  return !text.empty() && text.size() <= kEventTypeMax &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Postgres takes any character in a column's name.
bool names_column(std::string_view text) {
  return !text.empty() && text.size() <= kIdentifierBytesMax &&
         text.find('\0') == std::string_view::npos;
}

// One [[source.<name>.capture]] on its way.
class CaptureReader {
 public:
  CaptureReader(const Node& table, const std::string& title, LoadContext& context)
      : context_(context), reader_(table, table.place, title, context) {}

  CaptureConfig read() {
    read_table();
    read_types();
    capture_.key = read_columns("key", Presence::required, "\"id\"");
    capture_.columns = read_columns("columns", Presence::optional, "[\"id\", \"status\"]");
    capture_.before = reader_.truth("before", false);
    read_when();
    reader_.finish();
    return std::move(capture_);
  }

 private:
  void read_table() {
    const auto table = reader_.text("table", Presence::required, "\"shop.orders\"");
    const auto type = reader_.text("aggregate_type", Presence::optional, "\"order\"");
    if (table) {
      if (const auto names =
              table_names(*table, "table", reader_.title(), "\"shop.orders\"", context_)) {
        capture_.table_schema = names->schema;
        capture_.table_name = names->name;
      }
    }
    capture_.aggregate_type = type ? type->value : capture_.table_name;
    if (capture_.aggregate_type.empty() && !type) return;  // no table, which was noted
    if (names_topic(capture_.aggregate_type)) return;
    context_.note(type ? type->place : reader_.place(),
                  "aggregate_type = " + quoted(type ? type->shown : capture_.table_name) + " in " +
                      reader_.title() + " cannot be part of a topic name",
                  "1 to 200 of a-z A-Z 0-9 . _ - only, and neither \".\" nor \"..\".");
  }

  void read_types() {
    capture_.insert = read_type("insert", "\"OrderPlaced\"");
    capture_.update = read_type("update", "\"OrderChanged\"");
    capture_.erase = read_type("delete", "\"OrderDeleted\"");
    if (reader_.has("insert") || reader_.has("update") || reader_.has("delete")) return;
    context_.note(reader_.place(), reader_.title() + " makes no events",
                  "Give the event type of at least one: insert = \"OrderPlaced\", update = "
                  "\"OrderChanged\", delete = \"OrderDeleted\".");
  }

  std::string read_type(const std::string& key, const std::string& example) {
    const auto type = reader_.text(key, Presence::optional, example);
    if (!type) return "";
    if (!names_event(type->value)) {
      context_.note(
          type->place,
          key + " = " + quoted(type->shown) + " in " + reader_.title() + " is not an event type",
          "1 to 255 bytes without control characters. Leave the key out for no event.");
    }
    return type->value;
  }

  std::vector<std::string> read_columns(const std::string& key, Presence presence,
                                        const std::string& example) {
    std::vector<std::string> columns;
    for (const Text& column : reader_.texts(key, presence, example)) {
      const bool twice = std::find(columns.begin(), columns.end(), column.value) != columns.end();
      if (twice || !names_column(column.value)) {
        context_.note(column.place,
                      "\"" + key + "\" in " + reader_.title() + " names " + quoted(column.shown) +
                          (twice ? " twice" : ", which is not a column's name"),
                      twice ? "Remove one of them." : "1 to 63 bytes, as Postgres spells it.");
      }
      columns.push_back(column.value);
    }
    return columns;
  }

  void read_when() {
    const Node* when = reader_.table("when");
    if (when == nullptr) return;
    for (const Entry& entry : when->entries) {
      const std::string title = "when of " + reader_.title();
      if (entry.value.kind == NodeKind::table) {
        read_change(entry, "\"" + entry.key + "\" in " + title);
        continue;
      }
      TableReader one(*when, entry.place, title, context_);
      const auto value = one.text(entry.key, Presence::optional, "\"COMPLETE\"");
      if (value) {
        capture_.when.push_back({entry.key, CaptureCondition::Kind::is, value->value});
      }
    }
  }

  void read_change(const Entry& entry, const std::string& title) {
    TableReader fields(entry.value, entry.place, title, context_);
    const auto to = fields.text("changed_to", Presence::optional, "\"COMPLETE\"");
    const bool changed = fields.truth("changed", false);
    fields.finish();
    if (to && !fields.has("changed")) {
      capture_.when.push_back({entry.key, CaptureCondition::Kind::changed_to, to->value});
    } else if (changed && !to) {
      capture_.when.push_back({entry.key, CaptureCondition::Kind::changed, ""});
    } else {
      context_.note(entry.place, title + " says neither or both of changed and changed_to",
                    "Write " + entry.key + " = { changed_to = \"COMPLETE\" } or " + entry.key +
                        " = { changed = true }.");
    }
  }

  LoadContext& context_;
  TableReader reader_;
  CaptureConfig capture_;
};

bool same_table(const CaptureConfig& a, const CaptureConfig& b) {
  return !a.table_name.empty() && a.table_schema == b.table_schema && a.table_name == b.table_name;
}

// Whether every event that `later` could make is made by `earlier`.
bool covers(const CaptureConfig& earlier, const CaptureConfig& later) {
  const auto takes = [](const std::string& first, const std::string& second) {
    return second.empty() || !first.empty();
  };
  return (earlier.when.empty() || earlier.when == later.when) &&
         takes(earlier.insert, later.insert) && takes(earlier.update, later.update) &&
         takes(earlier.erase, later.erase);
}

void check_capture(const CaptureConfig& capture, const std::vector<CaptureConfig>& earlier,
                   const SourceConfig& source, Place place, const std::string& title,
                   LoadContext& context) {
  if (capture.table_schema == source.table_schema && capture.table_name == source.table_name) {
    context.note(place, title + " names the outbox table itself",
                 "Its inserts are events already. Name a business table.");
  }
  for (const CaptureConfig& other : earlier) {
    if (!same_table(other, capture)) continue;
    if (covers(other, capture)) {
      context.note(place,
                   title + " is never reached: an earlier one for the table makes its events",
                   "The first that fits makes the event; put the narrower one first.");
      return;
    }
    if (other.key == capture.key) continue;
    context.note(place, title + " has another key than the one before for the same table",
                 "A table has one key, so that a change of it can be told: give all of them the "
                 "same.");
    return;
  }
}

}  // namespace

bool legal_identifier(std::string_view name) {
  return !name.empty() && name.size() <= kIdentifierBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0x20 && byte != 0x7f && c != '"' && c != '\'' && c != '.';
         });
}

std::optional<TableNames> table_names(const Text& name, const std::string& key,
                                      const std::string& title, const std::string& example,
                                      LoadContext& context) {
  const std::string& value = name.value;
  const size_t dot = value.find('.');
  if (dot != std::string::npos && legal_identifier(value.substr(0, dot)) &&
      legal_identifier(value.substr(dot + 1))) {
    return TableNames{value.substr(0, dot), value.substr(dot + 1)};
  }
  context.note(name.place,
               key + " = " + quoted(name.shown) + " in " + title + " is not a schema and a " +
                   (key == "call" ? "function" : "table"),
               "Write it as " + example + ".");
  return std::nullopt;
}

std::vector<CaptureConfig> read_captures(TableReader& reader, const SourceConfig& source) {
  std::vector<CaptureConfig> captures;
  const Node* list = reader.tables("capture");
  if (list == nullptr) return captures;
  if (source.mode != SourceMode::wal) {
    reader.context().note(list->place,
                          "[[source." + source.name + ".capture]] needs mode = \"wal\"",
                          "Changes of business tables are in the WAL only: no poll sees them.");
  }
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Node& item = list->items[i];
    const std::string title =
        "[[source." + source.name + ".capture]] number " + std::to_string(i + 1);
    CaptureConfig capture = CaptureReader(item, title, reader.context()).read();
    check_capture(capture, captures, source, item.place, title, reader.context());
    captures.push_back(std::move(capture));
  }
  return captures;
}

}  // namespace outbox::app
