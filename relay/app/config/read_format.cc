#include "relay/app/config/read_format.h"

#include <algorithm>
#include <string_view>

#include "relay/app/config/topic_regex.h"

namespace outbox::app {
namespace {

constexpr size_t kNameBytesMax = 255;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\n\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n\r") - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

CloudEventsFormatConfig read_cloud_events(TableReader& route) {
  CloudEventsFormatConfig format;
  const Node* table = route.table("cloudevents");
  if (table == nullptr) return format;
  TableReader fields(*table, table->place, "cloudevents of " + route.title(), route.context());
  if (fields.choice("mode", {"binary", "structured"}, {}, "binary") == "structured") {
    format.mode = CloudEventsFormatConfig::Mode::structured;
  }
  if (const auto source =
          fields.text("source", Presence::optional, "\"/shop/orders\"", Placeholders::per_event)) {
    format.source = source->value;
    if (format.source.empty()) {
      route.context().note(source->place, "\"source\" in " + fields.title() + " is empty",
                           "A CloudEvent must say where it comes from: a URI such as "
                           "\"/shop/orders\".");
    }
  }
  if (const auto type =
          fields.text("data_content_type", Presence::optional, "\"application/json\"")) {
    format.data_content_type = type->value;
    if (type->value.find('/') == std::string::npos) {
      route.context().note(type->place,
                           "data_content_type = " + quoted(type->shown) + " in " + fields.title() +
                               " is no media type",
                           "It looks like \"application/json\".");
    }
  }
  fields.finish();
  return format;
}

DebeziumFormatConfig::Converter read_converter(TableReader& fields, const std::string& key) {
  const std::string name = fields.choice(key, {"string", "bytes", "json"}, {}, "string");
  if (name == "json") return DebeziumFormatConfig::Converter::json;
  return name == "bytes" ? DebeziumFormatConfig::Converter::bytes
                         : DebeziumFormatConfig::Converter::string;
}

/// One of table.fields.additional.placement: column:placement or column:placement:alias.
std::optional<DebeziumFormatConfig::Field> field_of(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  DebeziumFormatConfig::Field field{parts[0], DebeziumFormatConfig::Placement::header,
                                    parts.back()};
  if (parts.size() == 2) field.alias = parts[0];
  std::string placement = parts[1];
  std::transform(placement.begin(), placement.end(), placement.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (placement == "envelope") {
    field.placement = DebeziumFormatConfig::Placement::envelope;
  } else if (placement == "partition") {
    field.placement = DebeziumFormatConfig::Placement::partition;
  } else if (placement != "header") {
    return std::nullopt;
  }
  const bool named = !field.column.empty() && !field.alias.empty() &&
                     field.column.size() <= kNameBytesMax && field.alias.size() <= kNameBytesMax;
  return named ? std::optional(field) : std::nullopt;
}

void read_additional(TableReader& fields, DebeziumFormatConfig& format) {
  const auto list = fields.text("additional_placement", Presence::optional,
                                "\"type:header:eventType,version:envelope\"");
  if (!list) return;
  for (const std::string& part : split(list->value, ',')) {
    if (auto field = field_of(part)) {
      format.additional.push_back(std::move(*field));
      continue;
    }
    fields.context().note(list->place,
                          "\"additional_placement\" in " + fields.title() + " holds " +
                              quoted(part) + ", which is no column with a placement",
                          "Write column:header, column:envelope or column:partition, and an alias "
                          "behind a further colon.");
  }
  const auto partitions =
      std::count_if(format.additional.begin(), format.additional.end(), [](const auto& field) {
        return field.placement == DebeziumFormatConfig::Placement::partition;
      });
  if (partitions > 1) {
    fields.context().note(
        list->place,
        "\"additional_placement\" in " + fields.title() + " names two columns for the partition",
        "A record has one; keep one of them.");
  }
}

DebeziumFormatConfig read_debezium(TableReader& route) {
  using Converter = DebeziumFormatConfig::Converter;
  DebeziumFormatConfig format;
  const Node* table = route.table("debezium");
  if (table == nullptr) return format;
  TableReader fields(*table, table->place, "debezium of " + route.title(), route.context());
  format.key_converter = read_converter(fields, "key_converter");
  format.value_converter = read_converter(fields, "value_converter");
  format.expand_json_payload = fields.truth("expand_json_payload", false);
  if (fields.choice("json_payload_null_behavior", {"ignore", "optional_bytes"}, {}, "ignore") ==
      "optional_bytes") {
    format.json_payload_null_behavior = DebeziumFormatConfig::Nulls::optional_bytes;
  }
  format.tombstone_on_empty_payload = fields.truth("tombstone_on_empty_payload", false);
  format.additional_error_on_missing = fields.truth("additional_error_on_missing", true);
  read_additional(fields, format);
  if (const auto column = fields.text("timestamp_column", Presence::optional, "\"created_at\"")) {
    format.timestamp_column = column->value;
  }
  fields.finish();
  const bool envelope =
      std::any_of(format.additional.begin(), format.additional.end(), [](const auto& field) {
        return field.placement == DebeziumFormatConfig::Placement::envelope;
      });
  if ((envelope || format.expand_json_payload) && format.value_converter != Converter::json) {
    route.context().note(table->place,
                         std::string(envelope ? "an envelope field" : "expand_json_payload") +
                             " in " + fields.title() + " needs a value that is JSON",
                         "Add value_converter = \"json\", as Connect has its JsonConverter.");
  }
  return format;
}

}  // namespace

RecordFormat read_format(TableReader& route) {
  const std::string name =
      route.choice("format", {"plain", "cloudevents", "debezium"}, {}, "plain");
  const CloudEventsFormatConfig cloud_events = read_cloud_events(route);
  const DebeziumFormatConfig debezium = read_debezium(route);
  for (const char* key : {"cloudevents", "debezium"}) {
    const Node* table = route.table(key);
    if (table == nullptr || name == key) continue;
    route.context().note(table->place,
                         "\"" + std::string(key) + "\" in " + route.title() +
                             " says how records of another format look",
                         std::string("Add format = \"") + key + "\", or remove it.");
  }
  if (name == "cloudevents") return cloud_events;
  if (name == "debezium") return debezium;
  return PlainFormatConfig{};
}

std::optional<flow::TopicRule> read_topic_rule(TableReader& route) {
  const auto regex =
      route.text("topic_regex", Presence::optional, "\"(.*)\"", Placeholders::groups);
  const auto replacement = route.text("topic_replacement", Presence::optional,
                                      "\"outbox.event.${routedByValue}\"", Placeholders::groups);
  if (!regex && !replacement) return std::nullopt;
  if (!regex || !replacement) {
    route.context().note(regex ? regex->place : replacement->place,
                         route.title() + " has " + (regex ? "topic_regex" : "topic_replacement") +
                             " without the other one",
                         "A topic by a regular expression needs both topic_regex and "
                         "topic_replacement.");
    return std::nullopt;
  }
  core::Result<flow::TopicRule> rule = make_topic_rule(regex->value, replacement->value);
  if (rule) return std::move(*rule);
  const bool of_regex = rule.error().code == "REGEX";
  route.context().note(of_regex ? regex->place : replacement->place,
                       std::string(of_regex ? "topic_regex" : "topic_replacement") + " in " +
                           route.title() + ": " + rule.error().detail,
                       rule.error().hint);
  return std::nullopt;
}

}  // namespace outbox::app
