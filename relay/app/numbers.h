#pragma once
// Numbers as people read them: "1.2 GiB", "3 min 20 s", "1,234,567". "-" for what is not known.

#include <cstdint>
#include <optional>
#include <string>

namespace outbox::app {

std::string readable_count(std::optional<uint64_t> count);
std::string readable_bytes(std::optional<uint64_t> bytes);

/// "0 s", "3 ms", "1.5 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
std::string readable_seconds(std::optional<double> seconds);

}  // namespace outbox::app
