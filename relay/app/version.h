#pragma once
// Version: which release this binary is.

#include <string_view>

namespace outbox::app {

std::string_view version();  // "0.1.0"

}  // namespace outbox::app
