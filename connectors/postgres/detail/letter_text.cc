#include "connectors/postgres/detail/letter_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "connectors/postgres/detail/json_text.h"

namespace outbox::postgres {
namespace {

using core::Extra;

constexpr std::array<std::pair<std::string_view, Extra::Kind>, 4> kKinds = {
    {{"text", Extra::Kind::text},
     {"number", Extra::Kind::number},
     {"boolean", Extra::Kind::boolean},
     {"time", Extra::Kind::time}}};

std::string extra_text(const Extra& extra) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const auto& known) { return known.second == extra.kind; });
  std::string text(kind->first);
  if (!extra.text) return text;
  text += '=';
  if (extra.kind == Extra::Kind::time) text += std::to_string(extra.time.us) + '=';
  text += *extra.text;
  return text;
}

class Object {
 public:
  void put(std::string_view name, const std::optional<std::string_view>& value) {
    if (text_.size() > 1) text_ += ", ";
    StringWriter out{text_};
    put_json_string(name, out);
    text_ += ": ";
    value ? put_json_string(*value, out) : out.put("null");
  }
  std::string end() { return std::move(text_ += '}'); }

 private:
  std::string text_ = "{";
};

}  // namespace

std::string headers_text(std::span<const core::Header> headers) {
  Object object;
  for (const core::Header& header : headers) object.put(header.name, header.value);
  return object.end();
}

std::string extras_text(const std::vector<ExtraColumn>& columns, std::span<const Extra> extras) {
  Object object;
  for (size_t i = 0; i < std::min(columns.size(), extras.size()); ++i) {
    if (extras[i].kind != Extra::Kind::absent) object.put(columns[i].name, extra_text(extras[i]));
  }
  return object.end();
}

std::string_view payload_kind_text(core::PayloadKind kind) {
  switch (kind) {
    case core::PayloadKind::json:
      return "json";
    case core::PayloadKind::text:
      return "text";
    case core::PayloadKind::bytes:
      break;
  }
  return "bytes";
}

std::string_view headers_fault_text(core::HeadersFault fault) {
  switch (fault) {
    case core::HeadersFault::none:
      break;
    case core::HeadersFault::not_an_object:
      return "not an object";
    case core::HeadersFault::too_many:
      return "too many";
  }
  return "";
}

std::optional<Extra> read_extra(std::string_view text) {
  const size_t sign = text.find('=');
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& known) {
    return known.first == text.substr(0, sign);
  });
  if (kind == kKinds.end()) return std::nullopt;
  Extra extra;
  extra.kind = kind->second;
  if (sign == std::string_view::npos) return extra;
  text.remove_prefix(sign + 1);
  if (extra.kind == Extra::Kind::time) {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), extra.time.us);
    if (error != std::errc() || end == text.data() + text.size() || *end != '=') {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  extra.text = text;
  return extra;
}

}  // namespace outbox::postgres
