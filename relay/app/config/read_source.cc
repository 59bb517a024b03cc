#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "relay/app/config/read_capture.h"
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

void read_table_name(TableReader& reader, SourceConfig& source) {
  const auto table = reader.text("table", Presence::optional, "\"outbox.event\"");
  if (!table) return;
  if (const auto names =
          table_names(*table, "table", reader.title(), "\"outbox.event\"", reader.context())) {
    source.table_schema = names->schema;
    source.table_name = names->name;
  }
}

void read_column(TableReader& fields, const std::string& role, std::string& column) {
  const auto name = fields.text(role, Presence::optional, '"' + column + '"');
  if (!name) return;
  const std::string& value = name->value;
  // Postgres takes any character in a name; only what cannot be one is refused here.
  const bool none = value.empty() && role != "id";
  if (!none && (value.empty() || value.size() > kIdentifierBytesMax ||
                value.find('\0') != std::string::npos)) {
    fields.context().note(
        name->place,
        role + " = " + quoted(name->shown) + " in " + fields.title() + " is not a column's name",
        "1 to 63 bytes, as Postgres spells it" +
            std::string(role == "id" ? "." : "; \"\" if the table has none."));
  }
  column = value;
}

void read_columns(TableReader& reader, SourceConfig& source) {
  const Node* table = reader.table("columns");
  if (table == nullptr) return;
  TableReader fields(*table, table->place, "columns of " + reader.title(), reader.context());
  ColumnNames& columns = source.columns;
  read_column(fields, "seq", columns.seq);
  read_column(fields, "id", columns.id);
  read_column(fields, "aggregate_type", columns.aggregate_type);
  read_column(fields, "aggregate_id", columns.aggregate_id);
  read_column(fields, "event_type", columns.event_type);
  read_column(fields, "payload", columns.payload);
  read_column(fields, "payload_bytes", columns.payload_bytes);
  read_column(fields, "headers", columns.headers);
  read_column(fields, "created_at", columns.created_at);
  read_column(fields, "status", columns.status);
  read_column(fields, "order", columns.order);
  read_column(fields, "cause", columns.cause);
  fields.finish();
  if (source.mode == SourceMode::poll && columns.seq.empty() && columns.status.empty()) {
    reader.context().note(table->place,
                          reader.title() + " polls a table without a column for \"seq\"",
                          "Name a bigserial or identity column, or use mode = \"wal\", which "
                          "needs none.");
  }
  if (columns.payload.empty() && columns.payload_bytes.empty()) {
    reader.context().note(table->place, fields.title() + " names no payload",
                          "Name the column in payload, or in payload_bytes.");
  }
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
    if (!legal_identifier(publication->value)) {
      reader.context().note(publication->place,
                            "publication = " + quoted(publication->shown) + " in " +
                                reader.title() + " is not a name that Postgres takes",
                            "1 to 63 bytes without spaces, quotes and dots.");
    }
    source.publication = publication->value;
  }
}

// "7d". Nothing for what is no age; 100 years are more than any clock's difference must hold.
std::optional<std::chrono::seconds> read_age(std::string_view text) {
  constexpr int64_t kSecondsMost = 100LL * 365 * 86'400;
  static const std::map<std::string_view, int64_t> kUnits = {
      {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}, {"w", 604'800}};
  int64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto unit = kUnits.find(text.substr(static_cast<size_t>(end - text.data())));
  if (fault != std::errc() || unit == kUnits.end() || count < 1) return std::nullopt;
  if (count > kSecondsMost / unit->second) return std::nullopt;
  return std::chrono::seconds(count * unit->second);
}

void read_retention(TableReader& reader, SourceConfig& source) {
  const auto text = reader.text("retention", Presence::optional, "\"7d\"");
  if (!text) return;
  if (const auto age = read_age(text->value)) {
    source.retention = *age;
    return;
  }
  reader.context().note(
      text->place,
      "retention = " + quoted(text->shown) + " in " + reader.title() + " is not an age",
      "Write it as \"7d\": a whole number from 1 on and one of s, m, h, d, w. "
      "Leave it out to keep rows.");
}

// A status column makes a poller one that marks rows.
void read_marking(TableReader& reader, SourceConfig& source) {
  source.shards = static_cast<uint32_t>(reader.integer("shards", 1, 1024, 8));
  const ColumnNames& columns = source.columns;
  const std::string& marks = !columns.status.empty()  ? columns.status
                             : !columns.order.empty() ? columns.order
                                                      : columns.cause;
  if (marks.empty()) return;
  if (!columns.status.empty() && source.mode == SourceMode::poll) source.mode = SourceMode::status;
  if (source.mode == SourceMode::status) return;
  reader.context().note(
      reader.table("columns")->place,
      "only polling by status uses the column " + quoted(marks) + " in columns of " +
          reader.title(),
      columns.status.empty() ? "Add status = \"status\" beside it." : "Set mode = \"poll\".");
}

}  // namespace

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
  read_columns(reader, source);
  const std::string on_update =
      reader.choice("on_update", {"ignore", "warn", "stop"}, {}, "ignore");
  if (on_update == "warn") source.on_update = OnUpdate::warn;
  if (on_update == "stop") source.on_update = OnUpdate::stop;
  source.heartbeat = std::chrono::milliseconds(reader.integer("heartbeat_ms", 0, 3'600'000, 1000));
  source.poll_interval =
      std::chrono::milliseconds(reader.integer("poll_interval_ms", 2, 60'000, 50));
  read_marking(reader, source);
  read_retention(reader, source);
  source.captures = read_captures(reader, source);
  reader.later({"refill"});
  reader.finish();
  return placed;
}

}  // namespace outbox::app
