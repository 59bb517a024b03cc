#include "connectors/kafka/format/json_expansion.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/kafka/format/json_text.h"

namespace outbox::kafka {
namespace {

namespace ondemand = simdjson::ondemand;
using ondemand::json_type;

constexpr int kDepthMax = 128;
constexpr std::string_view kWhitespace = " \t\r\n";

/// What an array's elements must agree in.
enum class Kind : uint8_t { null, text, boolean, int32, int64, float64, array, object };

std::string_view trimmed(std::string_view text) {
  const size_t last = text.find_last_not_of(kWhitespace);
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

Kind kind_of_number(std::string_view digits) {
  if (digits.find_first_of(".eE") != std::string_view::npos) return Kind::float64;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return Kind::float64;
  const bool small =
      value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max();
  return small ? Kind::int32 : Kind::int64;
}

/// One value as text, and what the array or object around it needs to know of it.
struct Written {
  Kind kind = Kind::null;
  bool empty_array = false;
};

struct Member {
  std::string name;
  std::string json;
  Written what;
};

}  // namespace

struct JsonExpansion::Parser {
  ondemand::parser parser;
  std::string padded;
};

/// Throws nothing: a value that cannot be expanded is nullopt, all the way up.
class JsonExpansion::Writer {
 public:
  explicit Writer(JsonNulls nulls) : nulls_(nulls) {}

  template <typename Value>
  std::optional<Written> write(Value& value, std::string& out, int depth) const {
    json_type type;
    if (depth > kDepthMax || value.type().get(type)) return std::nullopt;
    switch (type) {
      case json_type::object:
        return write_object(value, out, depth);
      case json_type::array:
        return write_array(value, out, depth);
      case json_type::string: {
        std::string_view text;
        if (value.get_string().get(text)) return std::nullopt;
        append_json_string(out, text);
        return Written{Kind::text};
      }
      case json_type::number: {
        const std::string_view digits = trimmed(value.raw_json_token());
        double checked = 0;
        const auto fault = value.get_double().get(checked);
        if (fault && fault != simdjson::NUMBER_ERROR) return std::nullopt;
        if (fault && !is_number(digits)) return std::nullopt;
        out += digits;
        return Written{kind_of_number(digits)};
      }
      case json_type::boolean: {
        bool truth = false;
        if (value.get_bool().get(truth)) return std::nullopt;
        out += truth ? "true" : "false";
        return Written{Kind::boolean};
      }
      case json_type::null:
        break;
    }
    if (trimmed(value.raw_json_token()) != "null") return std::nullopt;
    out += "null";
    return Written{Kind::null};
  }

 private:
  // JSON's grammar of a number: what lies beyond a double (1e400) is kept as it is, 01 and 1.2.3
  // are none.
  static bool is_number(std::string_view text) {
    const auto take_digits = [&text] {
      const size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
      text.remove_prefix(size);
      return size > 0;
    };
    const auto take = [&text](std::string_view any) {
      if (text.empty() || any.find(text.front()) == std::string_view::npos) return false;
      text.remove_prefix(1);
      return true;
    };
    take("-");
    if (!take("0") && !take_digits()) return false;
    if (take(".") && !take_digits()) return false;
    if (take("eE")) {
      take("+-");
      if (!take_digits()) return false;
    }
    return text.empty();
  }

  template <typename Value>
  std::optional<Written> write_object(Value& value, std::string& out, int depth) const {
    ondemand::object object;
    if (value.get_object().get(object)) return std::nullopt;
    std::vector<Member> members;
    std::unordered_map<std::string, size_t> by_name;
    for (auto entry : object) {
      ondemand::field field;
      std::string_view name;
      if (std::move(entry).get(field)) return std::nullopt;
      if (field.unescaped_key().get(name)) return std::nullopt;
      Member member{std::string(name), "", {}};
      auto inner = field.value();
      const auto what = write(inner, member.json, depth + 1);
      if (!what) return std::nullopt;
      member.what = *what;
      const auto [same, is_new] = by_name.try_emplace(member.name, members.size());
      if (is_new) {
        members.push_back(std::move(member));
      } else {
        members[same->second] = std::move(member);
      }
    }
    put(members, out);
    return Written{Kind::object};
  }

  void put(const std::vector<Member>& members, std::string& out) const {
    out += '{';
    bool first = true;
    for (const Member& member : members) {
      if (member.what.empty_array) continue;
      if (member.what.kind == Kind::null && nulls_ == JsonNulls::left_out) continue;
      if (!first) out += ',';
      first = false;
      append_json_string(out, member.name);
      out += ':';
      out += member.json;
    }
    out += '}';
  }

  template <typename Value>
  std::optional<Written> write_array(Value& value, std::string& out, int depth) const {
    ondemand::array array;
    if (value.get_array().get(array)) return std::nullopt;
    out += '[';
    bool empty = true;
    Kind common = Kind::null;
    for (auto element : array) {
      ondemand::value inner;
      if (std::move(element).get(inner)) return std::nullopt;
      if (!empty) out += ',';
      empty = false;
      const auto what = write(inner, out, depth + 1);
      if (!what || what->empty_array) return std::nullopt;
      if (what->kind == Kind::null) continue;
      if (common != Kind::null && common != what->kind) return std::nullopt;
      common = what->kind;
    }
    out += ']';
    const bool nulls_only = !empty && common == Kind::null;
    if (nulls_only && nulls_ == JsonNulls::left_out) return std::nullopt;
    return Written{Kind::array, empty};
  }

  JsonNulls nulls_;
};

JsonExpansion::JsonExpansion(JsonNulls nulls)
    : nulls_(nulls), parser_(std::make_unique<Parser>()) {}
JsonExpansion::~JsonExpansion() = default;
JsonExpansion::JsonExpansion(JsonExpansion&&) noexcept = default;

bool JsonExpansion::expand(std::string_view payload, std::string& out) {
  if (!payload.starts_with('{') && !payload.starts_with('[')) return false;
  std::string& padded = parser_->padded;
  const size_t capacity = payload.size() + simdjson::SIMDJSON_PADDING;
  if (padded.size() < capacity) padded.resize(capacity);
  payload.copy(padded.data(), payload.size());
  const size_t before = out.size();
  ondemand::document document;
  const simdjson::padded_string_view json(padded.data(), payload.size(), padded.size());
  const bool parsed = !parser_->parser.iterate(json).get(document);
  if (parsed && Writer(nulls_).write(document, out, 1) &&
      document.current_location().error() == simdjson::OUT_OF_BOUNDS) {
    return true;
  }
  out.resize(before);
  return false;
}

}  // namespace outbox::kafka
