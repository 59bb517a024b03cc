#include "relay/app/cli/payload_text.h"

#include <algorithm>
#include <cstdint>

namespace outbox::app {
namespace {

uint32_t byte_at(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

bool is_control(uint32_t character) {
  return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/// The character that begins at `at`, and behind it `at` moves; false: it is none.
bool take_character(std::string_view text, size_t& at, uint32_t& character) {
  const uint32_t first = byte_at(text, at++);
  character = first;
  if (first < 0x80) return true;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4) return false;
  character = first & (0x3fu >> more);
  for (int i = 0; i < more; ++i, ++at) {
    if (at >= text.size() || (byte_at(text, at) & 0xc0) != 0x80) return false;
    character = character << 6 | (byte_at(text, at) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  return character >= kLeast[more] && character <= 0x10ffff &&
         (character < 0xd800 || character > 0xdfff);
}

template <typename Accept>
bool every_character(std::string_view text, const Accept& accept) {
  uint32_t character = 0;
  for (size_t at = 0; at < text.size();) {
    if (!take_character(text, at, character) || !accept(character)) return false;
  }
  return true;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  return every_character(bytes, [](uint32_t) { return true; });
}

bool is_readable(std::string_view bytes) {
  return every_character(bytes, [](uint32_t character) {
    return !is_control(character) || character == '\n' || character == '\t' || character == '\r';
  });
}

std::string one_line(std::string_view text) {
  std::string line;
  uint32_t character = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const bool whole = take_character(text, at, character);
    if (whole && !is_control(character)) {
      line += text.substr(begin, at - begin);
    } else {
      line += ' ';
    }
  }
  return line;
}

std::string hex_of(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += kHex[byte_at(bytes, i) >> 4];
    text += kHex[byte_at(bytes, i) & 15];
  }
  return text;
}

std::string base64_of(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t there = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < there ? byte_at(bytes, i + j) : 0);
    for (size_t j = 0; j < 4; ++j) {
      text += j <= there ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

}  // namespace outbox::app
