#pragma once
// JSON written twice: once to count its bytes, once into memory of just that size. Postgres sends
// UTF-8 without zero bytes, so only quotes, backslashes and control characters are escaped.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace outbox::postgres {

struct ByteCount {
  size_t bytes = 0;
  void put(std::string_view text) { bytes += text.size(); }
};

struct ByteWriter {
  char* at = nullptr;
  void put(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
};

struct StringWriter {
  std::string& text;
  void put(std::string_view more) { text += more; }
};

/// `plain_end` comes behind `text`, and needs no escape.
template <typename Out>
void put_json_string(std::string_view text, Out& out, std::string_view plain_end = {}) {
  constexpr char kHex[] = "0123456789abcdef";
  out.put("\"");
  size_t plain = 0;  // where what needs no escape begins
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    if (i > plain) out.put(text.substr(plain, i - plain));
    plain = i + 1;
    if (byte >= 0x20) {
      const char escaped[] = {'\\', text[i]};
      out.put({escaped, sizeof escaped});
    } else {
      const char escaped[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      out.put({escaped, sizeof escaped});
    }
  }
  if (plain < text.size()) out.put(text.substr(plain));
  out.put(plain_end);
  out.put("\"");
}

}  // namespace outbox::postgres
