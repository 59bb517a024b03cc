#pragma once
// Bytes for people and for JSON. Pure.

#include <string>
#include <string_view>

namespace outbox::app {

/// Whole UTF-8 characters only, so that JSON may have it as a string.
bool is_utf8(std::string_view bytes);

/// UTF-8 whose only control characters are tabs and line ends: it can do nothing to a terminal.
bool is_readable(std::string_view bytes);

/// `text` in one line, control characters as spaces.
std::string one_line(std::string_view text);

std::string hex_of(std::string_view bytes);
std::string base64_of(std::string_view bytes);

}  // namespace outbox::app
