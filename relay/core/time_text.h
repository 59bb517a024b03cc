#pragma once
// A time as text for other programs.

#include <cstdint>
#include <string>

#include "relay/core/clock.h"

namespace outbox::core {

enum class Fraction : uint8_t {
  shortest,  // without its last zeros, or none
  six_digits,
};

/// RFC 3339 in UTC: 2026-01-02T03:04:05.678901Z. Years beyond 0 to 9999 get as many digits, or a
/// sign, as they need.
std::string to_rfc3339(WallTime time, Fraction fraction = Fraction::shortest);

}  // namespace outbox::core
