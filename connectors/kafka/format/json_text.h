#pragma once
// Texts inside JSON, as Jackson writes them with its defaults: what must be escaped is, and
// characters beyond U+FFFF are two \u escapes; hex digits are upper case.

#include <string>
#include <string_view>

namespace outbox::kafka {

/// Appends `text` in quotes. It is UTF-8 already, or passes as it is.
void append_json_string(std::string& out, std::string_view text);

/// Appends base64 with padding, without quotes.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace outbox::kafka
