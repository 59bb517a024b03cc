#include "connectors/kafka/format/json_text.h"

#include <cstddef>
#include <cstdint>

namespace outbox::kafka {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\b':
      out += "\\b";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

constexpr unsigned char kFirstOfFour = 0xf0;  // leads a character of four bytes

bool plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < kFirstOfFour && c != '"' && c != '\\';
}

void append_code_unit(std::string& out, uint32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

// How many bytes of `text` it took: 4, or 1 that is no character's and passes as it is.
size_t append_long(std::string& out, std::string_view text) {
  uint32_t code = static_cast<unsigned char>(text[0]) & 7U;
  bool whole = text.size() >= 4;
  for (size_t i = 1; i < 4 && whole; ++i) {
    const uint32_t byte = static_cast<unsigned char>(text[i]);
    whole = (byte & 0xc0U) == 0x80U;
    code = code << 6 | (byte & 0x3fU);
  }
  if (!whole || code < 0x10000 || code > 0x10ffff) {
    out += text[0];
    return 1;
  }
  append_code_unit(out, 0xd800 + ((code - 0x10000) >> 10));
  append_code_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
  return 4;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && plain(text[end])) ++end;
    out.append(text.substr(at, end - at));
    at = end;
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) >= kFirstOfFour) {
      at += append_long(out, text.substr(at));
    } else {
      append_escaped(out, text[at++]);
    }
  }
  out += '"';
}

void append_base64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      out += i <= count ? kBase64[group >> (18 - 6 * i) & 63] : '=';
    }
  }
}

}  // namespace outbox::kafka
