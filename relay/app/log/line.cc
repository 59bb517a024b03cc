#include "relay/app/log/line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace outbox::app {
namespace {

/// Escapes what would end a line or a quote. Bytes above 0x7f pass.
void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

bool needs_quotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte <= 0x20 || byte == 0x7f || c == '"' || c == '=' || c == '\\';
         });
}

/// Hands out text until a line's worth of it is used up.
class Allowance {
 public:
  std::string_view take(std::string_view text) {
    const std::string_view taken = text.substr(0, left_);
    left_ -= taken.size();
    return taken;
  }
  bool used_up() const { return left_ == 0; }

 private:
  size_t left_ = kLogTextBytesMax;
};

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  Allowance allowance;
  std::string line;
  append_escaped(line, allowance.take(message));
  for (const LogField& field : fields) {
    if (allowance.used_up()) break;
    line += ' ';
    line += field.name;
    line += '=';
    const bool quotes = needs_quotes(field.value);
    if (quotes) line += '"';
    append_escaped(line, allowance.take(field.value));
    if (quotes) line += '"';
  }
  return line;
}

std::string json_line(std::string_view message, std::initializer_list<LogField> fields) {
  Allowance allowance;
  std::string line = "\"message\":" + json_text(allowance.take(message));
  for (const LogField& field : fields) {
    if (allowance.used_up()) break;
    line += ",\"";
    line += field.name;
    line += "\":" + json_text(allowance.take(field.value));
  }
  return line;
}

}  // namespace outbox::app
