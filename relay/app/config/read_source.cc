#include <algorithm>
#include <string_view>

#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

// NAMEDATALEN - 1: Postgres cuts longer names, and two of them may then be one.
constexpr size_t kIdentifierBytesMax = 63;

bool slot_name(std::string_view name) {
  return !name.empty() && name.size() <= kIdentifierBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool identifier(std::string_view name) {
  return !name.empty() && name.size() <= kIdentifierBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0x20 && byte != 0x7f && c != '"' && c != '\'' && c != '.';
         });
}

std::string default_slot(const std::string& source) {
  std::string slot = "outbox_";
  for (const char c : source) {
    if (c >= 'A' && c <= 'Z') {
      slot += static_cast<char>(c - 'A' + 'a');
    } else {
      slot += c == '-' ? '_' : c;
    }
  }
  return slot.substr(0, kIdentifierBytesMax);
}

// Only the shape: libpq judges the rest when it connects. Never quotes what it saw.
void check_url(const Text& url, const std::string& title, LoadContext& context) {
  const std::string_view value = url.value;
  if (value.find('\0') != std::string_view::npos) {
    context.note(url.place, "\"url\" in " + title + " holds a NUL byte", "Remove it.");
    return;
  }
  const bool uri = value.starts_with("postgresql://") || value.starts_with("postgres://");
  const bool pairs =
      value.find("://") == std::string_view::npos && value.find('=') != std::string_view::npos;
  if (uri || pairs) return;
  context.note(url.place, "\"url\" in " + title + " is not a Postgres URL",
               "It looks like postgresql://user@host:5432/database?sslmode=verify-full.");
}

void read_table_name(TableReader& reader, SourceConfig& source) {
  const auto table = reader.text("table", Presence::optional, "\"outbox.event\"");
  if (!table) return;
  const std::string& value = table->value;
  const size_t dot = value.find('.');
  if (dot != std::string::npos && identifier(value.substr(0, dot)) &&
      identifier(value.substr(dot + 1))) {
    source.table_schema = value.substr(0, dot);
    source.table_name = value.substr(dot + 1);
    return;
  }
  reader.context().note(
      table->place,
      "table = " + quoted(table->shown) + " in " + reader.title() + " is not a schema and a table",
      "Write it as \"outbox.event\".");
}

void read_names(TableReader& reader, PlacedSource& placed) {
  SourceConfig& source = placed.config;
  source.slot = default_slot(source.name);
  placed.slot = Text{source.slot, source.slot, placed.place};
  if (const auto slot = reader.text("slot", Presence::optional, '"' + source.slot + '"')) {
    placed.slot = *slot;
    if (!slot_name(slot->value)) {
      reader.context().note(slot->place,
                            "slot = " + quoted(slot->shown) + " in " + reader.title() +
                                " is not a name that Postgres takes for a slot",
                            "1 to 63 of a-z, 0-9 and _.");
    }
    source.slot = slot->value;
  }
  source.publication = source.slot;
  if (const auto publication =
          reader.text("publication", Presence::optional, '"' + source.slot + '"')) {
    if (!identifier(publication->value)) {
      reader.context().note(publication->place,
                            "publication = " + quoted(publication->shown) + " in " +
                                reader.title() + " is not a name that Postgres takes",
                            "1 to 63 bytes without spaces, quotes and dots.");
    }
    source.publication = publication->value;
  }
}

// [source.<name>.columns]: what the table calls its columns. Brings the place of one that only
// polling by status uses, if there is one.
std::optional<Text> read_columns(TableReader& reader, SourceConfig& source) {
  std::optional<Text> marking;
  const Node* table = reader.table("columns");
  if (table == nullptr) return marking;
  const std::string title = "[source." + source.name + ".columns]";
  TableReader columns(*table, table->place, title, reader.context());
  const auto read = [&](const std::string& column) {
    auto name = columns.text(column, Presence::optional);
    if (!name) return name;
    source.columns[column] = name->value;
    if (!identifier(name->value)) {
      reader.context().note(name->place,
                            column + " = " + quoted(name->shown) + " in " + title +
                                " is not a name that Postgres takes",
                            "1 to 63 bytes without spaces, quotes and dots.");
    }
    return name;
  };
  for (const char* column :
       {"id", "aggregate_type", "aggregate_id", "event_type", "payload", "created_at"}) {
    read(column);
  }
  for (const char* column : {"cause", "order", "status"}) {
    if (auto name = read(column)) marking = std::move(name);
  }
  columns.finish();
  return marking;
}

// A status column makes a poller one that marks rows.
void read_marking(TableReader& reader, const std::optional<Text>& marking, SourceConfig& source) {
  source.shards = static_cast<uint32_t>(reader.integer("shards", 1, 1024, 8));
  if (!marking) return;
  const bool has_status = source.columns.contains("status");
  if (has_status && source.mode == SourceMode::poll) source.mode = SourceMode::status;
  if (source.mode == SourceMode::status) return;
  reader.context().note(marking->place,
                        "only polling by status uses the column " + quoted(marking->shown) +
                            " in [source." + source.name + ".columns]",
                        has_status ? "Set mode = \"poll\"." : "Add status = \"status\" beside it.");
}

}  // namespace

PlacedSource read_source(const Entry& section, LoadContext& context) {
  PlacedSource placed{{}, section.place, {}};
  SourceConfig& source = placed.config;
  source.name = section.key;
  const std::string title = "[source." + section.key + "]";
  check_name(source.name, title, section.place, context);

  TableReader reader(section.value, section.place, title, context);
  reader.choice("type", {"postgres"}, {"local", "kafka"}, "postgres", Presence::required);
  if (const auto url = reader.text("url", Presence::required, "\"${DATABASE_URL}\"")) {
    check_url(*url, title, context);
    source.url = Secret(url->value);
  }
  const bool polls = reader.choice("mode", {"wal", "poll"}, {"status"}, "wal") == "poll";
  source.mode = polls ? SourceMode::poll : SourceMode::wal;
  read_names(reader, placed);
  read_table_name(reader, source);
  source.heartbeat = std::chrono::milliseconds(reader.integer("heartbeat_ms", 0, 3'600'000, 1000));
  source.poll_interval =
      std::chrono::milliseconds(reader.integer("poll_interval_ms", 2, 60'000, 50));
  read_marking(reader, read_columns(reader, source), source);
  reader.later({"refill"});
  reader.finish();
  return placed;
}

}  // namespace outbox::app
