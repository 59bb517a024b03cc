#pragma once
// `--since`: "2h" (s, m, h, d, w) or a time in ISO 8601: "2026-01-31", "2026-01-31T08:00",
// "2026-01-31T08:00:00.5Z", "2026-01-31 08:00:00+01:00". Without an offset it is UTC.

#include <optional>
#include <string_view>

#include "relay/app/verification.h"

namespace outbox::app {

/// nullopt for anything else.
std::optional<Since> parse_since(std::string_view text);

}  // namespace outbox::app
