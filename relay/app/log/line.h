#pragma once
// The part of a log line behind time and level, in both formats. Pure.

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "relay/app/log/log.h"

namespace outbox::app {

/// What is longer is cut: a log tells what happened, it does not carry payloads.
inline constexpr size_t kLogTextBytesMax = 4000;

/// `message name=value name="value with spaces"`
std::string text_line(std::string_view message, std::initializer_list<LogField> fields);

/// `"message":"...","name":"value"`, without the braces. Invalid UTF-8 becomes U+FFFD.
std::string json_line(std::string_view message, std::initializer_list<LogField> fields);

}  // namespace outbox::app
