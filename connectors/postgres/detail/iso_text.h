#pragma once
// Dates and times as Postgres prints them with DateStyle ISO and TimeZone UTC:
// "2026-01-02", "2026-01-02 03:04:05.678901", "2026-01-02 03:04:05+00", "0044-03-15 BC". Pure.

#include <cstdint>
#include <optional>
#include <string_view>

namespace outbox::postgres {

/// Days since 1970-01-01, for the infinities the numbers that the binary form has. Nothing for what
/// is no date.
std::optional<int64_t> days_of_text(std::string_view text);

/// Microseconds since 1970-01-01 00:00 UTC; nothing for what is no time.
std::optional<int64_t> microseconds_of_text(std::string_view text);

}  // namespace outbox::postgres
