#pragma once
// A time as text for other programs.

#include <string>

#include "relay/core/clock.h"

namespace outbox::core {

/// RFC 3339 in UTC: 2026-01-02T03:04:05.678901Z, without the fraction's last zeros. Years beyond 0
/// to 9999 get as many digits, or a sign, as they need.
std::string to_rfc3339(WallTime time);

}  // namespace outbox::core
