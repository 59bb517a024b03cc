#include "connectors/kafka/format/cloud_events.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "connectors/kafka/format/json_text.h"
#include "relay/core/time_text.h"

namespace outbox::kafka {
namespace {

using core::Cause;
using core::Event;
using core::PayloadKind;

constexpr std::string_view kPlaceholder = "${aggregate_type}";
constexpr std::string_view kStructured = "application/cloudevents+json; charset=UTF-8";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_content_type(const core::Header& header) {
  return same_name(header.name, "content-type") && header.value && !header.value->empty();
}

// application/json, text/json, and whatever ends in +json; parameters do not count.
bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (type.size() < 5) return false;
  const std::string_view ending = type.substr(type.size() - 5);
  return same_name(ending, "/json") || same_name(ending, "+json");
}

std::string filled_in(std::string_view source, std::string_view aggregate_type) {
  std::string out;
  for (size_t at = source.find(kPlaceholder); at != std::string_view::npos;
       at = source.find(kPlaceholder)) {
    out += source.substr(0, at);
    out += aggregate_type;
    source.remove_prefix(at + kPlaceholder.size());
  }
  return out.append(source);
}

void append_member(std::string& json, std::string_view name, std::string_view value) {
  json += json.empty() ? '{' : ',';
  append_json_string(json, name);
  json += ':';
  append_json_string(json, value);
}

}  // namespace

struct CloudEventsFormat::Attributes {
  std::string id;
  std::string source;
  std::string time;
  std::string_view type;
  std::optional<std::string_view> subject;
  std::string_view content_type;
  std::string_view aggregate_type;

  /// Calls `use(name, value)` for each but the content type, in the order that documents have.
  template <typename Use>
  void each(const Use& use) const {
    use("specversion", std::string_view("1.0"));
    use("id", std::string_view(id));
    use("source", std::string_view(source));
    use("type", type);
    if (subject) use("subject", *subject);
    use("time", std::string_view(time));
    if (!aggregate_type.empty()) use("aggregatetype", aggregate_type);
  }
};

// A payload that only claims to be JSON is looked at before it is put into a document.
class CloudEventsFormat::JsonCheck {
 public:
  bool valid(std::string_view json) {
    return parser_.parse(json.data(), json.size()).error() == simdjson::SUCCESS;
  }

 private:
  simdjson::dom::parser parser_;
};

CloudEventsFormat::CloudEventsFormat(CloudEventsOptions options)
    : options_(std::move(options)), json_check_(std::make_unique<JsonCheck>()) {}
CloudEventsFormat::~CloudEventsFormat() = default;
CloudEventsFormat::CloudEventsFormat(CloudEventsFormat&&) noexcept = default;

std::optional<Cause> CloudEventsFormat::address(const Event& event, FormattedRecord& record) const {
  record.key = event.aggregate_id;
  return std::nullopt;
}

std::optional<Cause> CloudEventsFormat::write(const Event& event, const FormatContext& context,
                                              FormattedRecord& record) const {
  if (event.event_type.empty()) {
    return Cause{"CLOUDEVENT_WITHOUT_TYPE", "event_type is empty, and a CloudEvent must have one"};
  }
  Attributes attributes;
  attributes.id = core::to_string(event.id);
  attributes.source = filled_in(options_.source, event.aggregate_type);
  attributes.time = core::to_rfc3339(event.commit_time);
  attributes.type = event.event_type;
  if (event.aggregate_id && !event.aggregate_id->empty()) attributes.subject = event.aggregate_id;
  attributes.content_type = content_type(event);
  attributes.aggregate_type = event.aggregate_type;
  record.timestamp_ms = event.commit_time.us / 1'000;
  const bool binary = options_.mode == CloudEventsOptions::Mode::binary;
  if (auto cause = binary ? write_binary(event, attributes, record)
                          : write_structured(event, attributes, record)) {
    return cause;
  }
  record.add_origin(event, context);
  for (const core::Header& header : event.headers) {
    if (is_content_type(header)) continue;
    if (header.name.size() >= 3 && same_name(header.name.substr(0, 3), "ce_")) {
      return Cause{"RESERVED_HEADER", "header \"" + std::string(header.name) +
                                          "\" looks like an attribute of the CloudEvent; an event "
                                          "may not bring it"};
    }
    record.add(header.name, header.value);
  }
  return std::nullopt;
}

std::string_view CloudEventsFormat::content_type(const Event& event) const {
  const auto own = std::find_if(event.headers.begin(), event.headers.end(), is_content_type);
  if (own != event.headers.end()) return *own->value;
  if (!options_.data_content_type.empty()) return options_.data_content_type;
  switch (event.payload_kind) {
    case PayloadKind::json:
      return "application/json";
    case PayloadKind::text:
      return "text/plain; charset=utf-8";
    case PayloadKind::bytes:
      break;
  }
  return "application/octet-stream";
}

std::optional<Cause> CloudEventsFormat::write_binary(const Event& event,
                                                     const Attributes& attributes,
                                                     FormattedRecord& record) const {
  attributes.each([&](std::string_view name, std::string_view value) {
    std::string& header = record.new_text();
    header = "ce_";
    header += name;
    std::string& kept = record.new_text();
    kept = value;
    record.add(header, kept);
  });
  if (event.payload) record.add("content-type", attributes.content_type);
  record.value = event.payload;
  return std::nullopt;
}

std::optional<Cause> CloudEventsFormat::write_structured(const Event& event,
                                                         const Attributes& attributes,
                                                         FormattedRecord& record) const {
  std::string& json = record.new_text();
  attributes.each(
      [&](std::string_view name, std::string_view value) { append_member(json, name, value); });
  if (event.payload) {
    append_member(json, "datacontenttype", attributes.content_type);
    if (auto cause = append_data(event, attributes.content_type, json)) return cause;
  }
  json += '}';
  record.add("content-type", kStructured);
  record.value = json;
  return std::nullopt;
}

std::optional<Cause> CloudEventsFormat::append_data(const Event& event,
                                                    std::string_view content_type,
                                                    std::string& json) const {
  const std::string_view payload = *event.payload;
  if (is_json(content_type)) {
    if (event.payload_kind != PayloadKind::json && !json_check_->valid(payload)) {
      return Cause{"DATA_NOT_JSON", "the payload is not the JSON that its content type \"" +
                                        std::string(content_type) + "\" says it is"};
    }
    json += ",\"data\":";
    json += payload;
    return std::nullopt;
  }
  if (event.payload_kind == PayloadKind::bytes) {
    json += ",\"data_base64\":\"";
    append_base64(json, payload);
    json += '"';
    return std::nullopt;
  }
  append_member(json, "data", payload);
  return std::nullopt;
}

}  // namespace outbox::kafka
