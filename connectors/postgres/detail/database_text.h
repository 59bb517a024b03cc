#pragma once
// Text from anywhere as a text column takes it: whole UTF-8 characters without NUL, not longer than
// asked. A statement with one wrong byte would be refused for ever.

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox::postgres {

/// `text` with a question mark for each byte that is not part of a UTF-8 character, and for NUL,
/// cut to at most `bytes_most` bytes where a character ends.
std::string database_text(std::string_view text, size_t bytes_most);

}  // namespace outbox::postgres
