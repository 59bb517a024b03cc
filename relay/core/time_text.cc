#include "relay/core/time_text.h"

#include <chrono>
#include <cstdio>

namespace outbox::core {

std::string to_rfc3339(WallTime time, Fraction fraction) {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(time.us)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<microseconds> clock(at - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string result = text;
  const auto subseconds = static_cast<int>(clock.subseconds().count());
  const bool shortest = fraction == Fraction::shortest;
  if (subseconds != 0 || !shortest) {
    std::snprintf(text, sizeof text, ".%06d", subseconds);
    result += text;
    if (shortest) result.erase(result.find_last_not_of('0') + 1);
  }
  return result + 'Z';
}

}  // namespace outbox::core
