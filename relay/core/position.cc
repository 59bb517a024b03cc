#include "relay/core/position.h"

#include <charconv>

#include "relay/core/lsn.h"

namespace outbox::core {
namespace {

void append_number(std::string& out, uint64_t number, int base) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number, base);
  static_cast<void>(error);  // 24 characters hold every 64-bit number in bases 10 and 16
  for (char* digit = digits; digit != end; ++digit) {
    out.push_back(*digit >= 'a' ? static_cast<char>(*digit - 'a' + 'A') : *digit);
  }
}

}  // namespace

void append_position(std::string& out, Position position, PositionForm form) {
  switch (form) {
    case PositionForm::lsn_ordinal:
      append_number(out, position.major >> 32, 16);
      out.push_back('/');
      append_number(out, position.major & 0xffffffffU, 16);
      out.push_back('/');
      append_number(out, position.minor, 10);
      return;
    case PositionForm::number:
    case PositionForm::told:
      append_number(out, position.major, 10);
      return;
  }
}

std::string to_string(Position position, PositionForm form) {
  std::string text;
  append_position(text, position, form);
  return text;
}

}  // namespace outbox::core
