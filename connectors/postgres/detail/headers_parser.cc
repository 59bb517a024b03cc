#include "connectors/postgres/detail/headers_parser.h"

#include <simdjson.h>

#include <algorithm>

namespace outbox::postgres {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kWhitespace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t last = text.find_last_not_of(kWhitespace);
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

bool is_empty_object(std::string_view json) { return json == "{}" || json.empty(); }

// The JSON text of anything but a string or null.
simdjson::error_code raw_text(ondemand::value value, ondemand::json_type type,
                              std::string_view& text) {
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      return object.raw_json().get(text);
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      return array.raw_json().get(text);
    }
    case ondemand::json_type::boolean: {
      bool truth = false;
      text = trimmed(value.raw_json_token());
      return value.get_bool().get(truth);
    }
    default:
      text = trimmed(value.raw_json_token());
      return simdjson::SUCCESS;
  }
}

simdjson::error_code read_value(ondemand::value value, std::optional<std::string_view>& out) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::null) {
    out.reset();
    bool null = false;
    const auto error = simdjson::simdjson_result<bool>(value.is_null()).get(null);
    return error ? error : null ? simdjson::SUCCESS : simdjson::INCORRECT_TYPE;
  }
  std::string_view text;
  const auto error = type == ondemand::json_type::string ? value.get_string().get(text)
                                                         : raw_text(value, type, text);
  out = text;
  return error;
}

}  // namespace

class HeadersParser::Json {
 public:
  // simdjson reads up to SIMDJSON_PADDING bytes past the end, so the text is copied to where it
  // may.
  simdjson::padded_string_view padded(std::string_view json) {
    const size_t capacity = json.size() + simdjson::SIMDJSON_PADDING;
    if (text_.size() < capacity) text_.resize(capacity);
    json.copy(text_.data(), json.size());
    return simdjson::padded_string_view(text_.data(), json.size(), text_.size());
  }

  ondemand::parser parser;

 private:
  std::string text_;
};

HeadersParser::HeadersParser() : json_(std::make_unique<Json>()) {}
HeadersParser::~HeadersParser() = default;

size_t HeadersParser::text_bytes() const {
  size_t total = 0;
  for (const core::Header& header : headers_) {
    total += header.name.size() + (header.value ? header.value->size() : 0);
  }
  return total;
}

core::HeadersFault HeadersParser::parse(std::string_view json) {
  headers_.clear();
  if (is_empty_object(json)) return core::HeadersFault::none;
  const core::HeadersFault fault = parse_object(json);
  if (fault != core::HeadersFault::none) headers_.clear();
  return fault;
}

core::HeadersFault HeadersParser::parse_object(std::string_view json) {
  using core::HeadersFault;
  ondemand::document document;
  ondemand::object object;
  if (json_->parser.iterate(json_->padded(json)).get(document)) return HeadersFault::not_an_object;
  if (document.get_object().get(object)) return HeadersFault::not_an_object;
  for (auto entry : object) {
    ondemand::field field;
    core::Header header;
    if (std::move(entry).get(field)) return HeadersFault::not_an_object;
    if (field.unescaped_key().get(header.name)) return HeadersFault::not_an_object;
    if (read_value(field.value(), header.value)) return HeadersFault::not_an_object;
    put(header);
    if (headers_.size() > kHeadersMax) return HeadersFault::too_many;
  }
  const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  return at_end ? HeadersFault::none : HeadersFault::not_an_object;
}

void HeadersParser::put(const core::Header& header) {
  const auto same = std::find_if(headers_.begin(), headers_.end(), [&](const core::Header& other) {
    return other.name == header.name;
  });
  if (same == headers_.end()) {
    headers_.push_back(header);
  } else {
    same->value = header.value;
  }
}

}  // namespace outbox::postgres
