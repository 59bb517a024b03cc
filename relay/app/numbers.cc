#include "relay/app/numbers.h"

#include <cmath>
#include <cstdio>

namespace outbox::app {
namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// "3 min 20 s": two units, the smaller left out when it is 0.
std::string two_units(uint64_t seconds, uint64_t unit, const char* name, uint64_t smaller,
                      const char* smaller_name) {
  std::string text = std::to_string(seconds / unit) + ' ' + name;
  const uint64_t rest = seconds % unit / smaller;
  if (rest > 0) text += ' ' + std::to_string(rest) + ' ' + smaller_name;
  return text;
}

}  // namespace

std::string readable_count(std::optional<uint64_t> count) {
  if (!count) return "-";
  std::string text = std::to_string(*count);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string readable_bytes(std::optional<uint64_t> bytes) {
  if (!bytes) return "-";
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (*bytes < 1024) return std::to_string(*bytes) + " B";
  double value = static_cast<double>(*bytes) / 1024;
  size_t unit = 0;
  // 1023.95 and more would print as 1024.0.
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return formatted("%.1f ", value) + kUnits[unit];
}

std::string readable_seconds(std::optional<double> seconds) {
  if (!seconds || !std::isfinite(*seconds)) return "-";
  const double value = std::fmax(*seconds, 0);
  if (value < 0.0005) return "0 s";
  if (value < 0.9995) return formatted("%.0f ms", value * 1000);
  if (value < 59.95) return formatted("%.1f s", value);
  const auto whole = static_cast<uint64_t>(std::fmin(std::round(value), 1e15));
  if (whole < 3600) return two_units(whole, 60, "min", 1, "s");
  if (whole < 86'400) return two_units(whole, 3600, "h", 60, "min");
  return two_units(whole, 86'400, "d", 3600, "h");
}

}  // namespace outbox::app
