#include "connectors/postgres/detail/database_text.h"

#include <cstdint>

namespace outbox::postgres {
namespace {

// First byte from `low` on: so many bytes, and the least code point that needs as many.
struct Form {
  unsigned char low;
  unsigned char high;
  size_t size;
  uint32_t least;
};
constexpr Form kForms[] = {
    {0x01, 0x7f, 1, 0x01}, {0xc2, 0xdf, 2, 0x80}, {0xe0, 0xef, 3, 0x800}, {0xf0, 0xf4, 4, 0x10000}};
constexpr uint32_t kSurrogates = 0xd800;
constexpr uint32_t kSurrogatesEnd = 0xe000;
constexpr uint32_t kCodePointsEnd = 0x110000;

// Bytes of the character that `text` begins with; 0: it begins with none.
size_t character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  for (const Form& form : kForms) {
    if (first < form.low || first > form.high || text.size() < form.size) continue;
    if (form.size == 1) return 1;
    uint32_t point = first & (0x7fU >> form.size);
    for (size_t i = 1; i < form.size; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte & 0xc0) != 0x80) return 0;
      point = (point << 6) | (byte & 0x3f);
    }
    const bool surrogate = point >= kSurrogates && point < kSurrogatesEnd;
    return point >= form.least && point < kCodePointsEnd && !surrogate ? form.size : 0;
  }
  return 0;
}

}  // namespace

std::string database_text(std::string_view text, size_t bytes_most) {
  std::string out;
  while (!text.empty()) {
    const size_t size = character(text);
    if (out.size() + (size == 0 ? 1 : size) > bytes_most) break;
    if (size == 0) {
      out += '?';
      text.remove_prefix(1);
    } else {
      out += text.substr(0, size);
      text.remove_prefix(size);
    }
  }
  return out;
}

}  // namespace outbox::postgres
