#include "connectors/kafka/format/debezium.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "connectors/kafka/format/json_text.h"

namespace outbox::kafka {
namespace {

using core::Cause;
using core::Event;
using core::Extra;
using core::PayloadKind;

// Java's String.trim() takes away everything up to the blank.
bool blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

// An event that is no row of the table (outbox.emit) has none of its columns.
const Extra& extra_of(const Event& event, size_t index) {
  static constexpr Extra kAbsent{std::nullopt, Extra::Kind::absent, {}};
  return index < event.extras.size() ? event.extras[index] : kAbsent;
}

std::optional<int64_t> number_of(const Extra& extra) {
  if (!extra.text || extra.kind != Extra::Kind::number) return std::nullopt;
  int64_t number = 0;
  const char* end = extra.text->data() + extra.text->size();
  const auto [stop, error] = std::from_chars(extra.text->data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

bool literal(const Extra& extra) {
  if (extra.kind == Extra::Kind::number || extra.kind == Extra::Kind::boolean) return true;
  return extra.kind == Extra::Kind::time && !extra.text->ends_with('Z');  // microseconds
}

}  // namespace

DebeziumFormat::DebeziumFormat(DebeziumOptions options)
    : options_(std::move(options)), expansion_(options_.nulls) {}

std::optional<Cause> DebeziumFormat::address(const Event& event, FormattedRecord& record) const {
  record.key = event.aggregate_id;
  if (options_.key_converter == DebeziumOptions::Converter::json) {
    std::string& json = record.new_text();
    if (event.aggregate_id) {
      append_json_string(json, *event.aggregate_id);
    } else {
      json = "null";  // JSON's, which the converter makes of a column that is NULL
    }
    record.key = json;
  }
  if (!options_.partition_extra) return std::nullopt;
  const Extra& extra = extra_of(event, *options_.partition_extra);
  if (!extra.text) return std::nullopt;
  record.partition = number_of(extra);
  if (record.partition && *record.partition >= 0) return std::nullopt;
  return Cause{"NO_SUCH_PARTITION",
               "\"" + std::string(*extra.text) + "\" is no number of a partition"};
}

std::optional<Cause> DebeziumFormat::write(const Event& event, const FormatContext&,
                                           FormattedRecord& record) {
  record.timestamp_ms = event.commit_time.us / 1'000;
  if (options_.timestamp_extra) {
    const Extra& extra = extra_of(event, *options_.timestamp_extra);
    if (extra.text) record.timestamp_ms = extra.time.us / 1'000;
  }
  std::string& id = record.new_text();
  id = core::to_string(event.id);
  record.add("id", id);
  for (const DebeziumOptions::Field& field : options_.headers) {
    const Extra& extra = extra_of(event, field.extra);
    if (extra.kind != Extra::Kind::absent) record.add(field.alias, extra.text);
  }
  for (const core::Header& header : event.headers) record.add(header.name, header.value);
  write_value(event, record);
  return std::nullopt;
}

// To the router a payload of bytes is an object whose text is never empty.
bool DebeziumFormat::is_tombstone(const Event& event) const {
  if (options_.empty_payload != DebeziumOptions::EmptyPayload::tombstone) return false;
  return !event.payload || (event.payload_kind != PayloadKind::bytes && blank(*event.payload));
}

void DebeziumFormat::write_value(const Event& event, FormattedRecord& record) {
  record.value.reset();
  if (is_tombstone(event)) return;
  if (options_.value_converter == DebeziumOptions::Converter::verbatim) {
    record.value = event.payload;
    return;
  }
  std::string& json = record.new_text();
  if (options_.envelope.empty()) {
    append_payload(event, json);
    record.value = json;
    return;
  }
  json = "{\"payload\":";
  append_payload(event, json);
  for (const DebeziumOptions::Field& field : options_.envelope) {
    const Extra& extra = extra_of(event, field.extra);
    if (extra.kind == Extra::Kind::absent) continue;
    json += ',';
    append_json_string(json, field.alias);
    json += ':';
    if (!extra.text) {
      json += "null";
    } else if (literal(extra)) {
      json += *extra.text;
    } else {
      append_json_string(json, *extra.text);
    }
  }
  json += '}';
  record.value = json;
}

void DebeziumFormat::append_payload(const Event& event, std::string& json) {
  if (!event.payload) {
    json += "null";
    return;
  }
  if (event.payload_kind == PayloadKind::bytes) {
    json += '"';
    append_base64(json, *event.payload);
    json += '"';
    return;
  }
  const bool expands = options_.payload == DebeziumOptions::Payload::expanded;
  if (expands && expansion_.expand(*event.payload, json)) return;
  append_json_string(json, *event.payload);
}

}  // namespace outbox::kafka
