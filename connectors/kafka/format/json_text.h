#pragma once
// Texts inside JSON, as Jackson writes them with its defaults: only what must be escaped is, and
// control characters get upper-case hex.

#include <string>
#include <string_view>

namespace outbox::kafka {

/// Appends `text` in quotes. It is UTF-8 already, or passes as it is.
void append_json_string(std::string& out, std::string_view text);

/// Appends base64 with padding, without quotes.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace outbox::kafka
