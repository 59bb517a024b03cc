#include <algorithm>
#include <string_view>

#include "relay/app/config/listen_address.h"
#include "relay/app/config/read_capture.h"
#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

bool server(std::string_view text) {
  if (text.empty() || text.find_first_of(" \t\r\n/@") != std::string_view::npos) return false;
  std::string_view host = text;
  if (text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (!text.empty() && text.front() != ':') return false;
  } else {
    host = text.substr(0, text.find(':'));
    text.remove_prefix(host.size());
  }
  return !host.empty() && (text.empty() || parse_port(text.substr(1)).has_value());
}

void check_bootstrap_servers(const Text& servers, const std::string& title, LoadContext& context) {
  std::string_view rest = servers.value;
  for (;;) {
    const size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!server(one)) {
      context.note(servers.place,
                   "bootstrap_servers = " + quoted(servers.shown) + " in " + title +
                       " is not a list of host:port",
                   "Write \"kafka-1:9092,kafka-2:9092\".");
      return;
    }
    if (comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

std::string replaced_all(std::string text, const std::string& hidden) {
  if (hidden.size() < 3) return text;
  for (size_t at = text.find(hidden); at != std::string::npos; at = text.find(hidden, at)) {
    text.replace(at, hidden.size(), "***");
    at += 3;
  }
  return text;
}

/// librdkafka quotes the value that it refuses, and ends with a line break.
std::string without_values(std::string text, const std::map<std::string, std::string>& properties) {
  while (text.ends_with('\n')) text.pop_back();
  for (const auto& [name, value] : properties) text = replaced_all(std::move(text), value);
  return text;
}

void check_properties(const Node& table, const std::map<std::string, std::string>& properties,
                      const std::string& title, LoadContext& context, const PropertyCheck& check) {
  if (!check) return;
  for (const PropertyFault& fault : check(properties)) {
    const Node* value = table.find(fault.name);
    context.note(value == nullptr ? table.place : value->place,
                 "property " + quoted(fault.name) + " in " + title + ": " +
                     without_values(fault.what, properties),
                 fault.remedy.empty() ? "CONFIGURATION.md of librdkafka lists what it takes."
                                      : without_values(fault.remedy, properties));
  }
}

std::optional<std::string> property_value(const Entry& entry, const std::string& title,
                                          LoadContext& context) {
  const Node& node = entry.value;
  if (node.kind == NodeKind::integer) return std::to_string(node.integer);
  if (node.kind == NodeKind::boolean) return node.boolean ? "true" : "false";
  if (node.kind != NodeKind::text) {
    context.note(node.place,
                 "property " + quoted(entry.key) + " in " + title + " is " + to_string(node.kind) +
                     ", not a string",
                 "Names with dots need quotes: { \"sasl.username\" = \"relay\" }.");
    return std::nullopt;
  }
  auto filled = interpolate(node.text, Placeholders::none, context.surroundings);
  if (!filled) {
    context.note(node.place,
                 "property " + quoted(entry.key) + " in " + title + ": " + filled.error().detail,
                 filled.error().hint);
    return std::nullopt;
  }
  return filled->value;
}

/// `sasl.username = "relay"` without quotes around the name is a nested table in TOML; both
/// spellings mean the same here.
void flatten(const Node& table, const std::string& prefix, Node& flat) {
  for (const Entry& entry : table.entries) {
    const std::string name = prefix + entry.key;
    if (entry.value.kind == NodeKind::table) {
      flatten(entry.value, name + '.', flat);
    } else {
      flat.entries.push_back(Entry{name, entry.place, entry.value});
    }
  }
}

void read_properties(TableReader& reader, SinkConfig& sink, const PropertyCheck& check) {
  const Node* table = reader.table("properties");
  if (table == nullptr) return;
  Node flat;
  flat.place = table->place;
  flatten(*table, "", flat);
  std::map<std::string, std::string> properties;
  for (const Entry& entry : flat.entries) {
    const auto value = property_value(entry, reader.title(), reader.context());
    if (!value) continue;
    if (!properties.emplace(entry.key, *value).second) {
      reader.context().note(
          entry.place,
          "property " + quoted(entry.key) + " in " + reader.title() + " is there twice",
          "Keep one.");
    }
    sink.properties.emplace(entry.key, Secret(*value));
  }
  check_properties(flat, properties, reader.title(), reader.context(), check);
}

void read_kafka(TableReader& reader, SinkConfig& sink, const PropertyCheck& check) {
  if (const auto servers =
          reader.text("bootstrap_servers", Presence::required, "\"${KAFKA_BOOTSTRAP}\"")) {
    check_bootstrap_servers(*servers, reader.title(), reader.context());
    sink.bootstrap_servers = servers->value;
  }
  read_properties(reader, sink, check);
  reader.later({"schema_registry", "url", "rate", "burst"});
}

// The name stands in letters, metrics and causes, where a topic's would: the same characters.
void check_target(const Text& target, const SinkConfig& sink, const std::string& title,
                  LoadContext& context) {
  if (flow::legal_topic_name(sink.target())) return;
  context.note(target.place,
               quoted(target.shown) + " in " + title +
                   " has characters that a "
                   "projection's name cannot have",
               "Letters, digits, \"_\" and \"-\" only, with one \".\" behind the schema.");
}

void read_target(TableReader& reader, SinkConfig& sink) {
  const auto table = reader.text("table", Presence::optional, "\"public.orders\"");
  const auto call = reader.text("call", Presence::optional, "\"public.handle_order\"");
  if (table.has_value() == call.has_value()) {
    reader.context().note(call ? call->place : reader.place(),
                          reader.title() + (call ? " names a table and a function to call"
                                                 : " names neither a table nor a function to call"),
                          "Give one of table = \"public.orders\" (a row a key) and call = "
                          "\"public.handle_order\" (a function of yours).");
    return;
  }
  sink.projection = table ? ProjectionKind::table : ProjectionKind::function;
  const Text& target = table ? *table : *call;
  const auto names =
      table_names(target, table ? "table" : "call", reader.title(),
                  table ? "\"public.orders\"" : "\"public.handle_order\"", reader.context());
  if (!names) return;
  sink.target_schema = names->schema;
  sink.target_name = names->name;
  check_target(target, sink, reader.title(), reader.context());
}

void read_postgres(TableReader& reader, SinkConfig& sink) {
  if (const auto url = reader.text("url", Presence::required, "\"${REPORTS_URL}\"")) {
    check_url(*url, reader.title(), reader.context());
    sink.url = Secret(url->value);
  }
  read_target(reader, sink);
}

}  // namespace

PlacedSink read_sink(const Entry& section, LoadContext& context, const PropertyCheck& check) {
  PlacedSink placed{{}, section.place};
  SinkConfig& sink = placed.config;
  sink.name = section.key;
  const std::string title = "[sink." + section.key + "]";
  check_name(sink.name, title, section.place, context);

  TableReader reader(section.value, section.place, title, context);
  const std::string type =
      reader.choice("type", {"kafka", "postgres"}, {"http", "redis"}, "kafka", Presence::required);
  if (type == "postgres") {
    sink.type = SinkType::postgres;
    read_postgres(reader, sink);
  } else {
    read_kafka(reader, sink, check);
  }
  reader.finish();
  return placed;
}

}  // namespace outbox::app
