#include "connectors/postgres/detail/iso_text.h"

#include <charconv>
#include <limits>

namespace outbox::postgres {
namespace {

constexpr std::string_view kBeforeChrist = " BC";
constexpr int64_t kEpochDays = 10'957;  // from 1970 to 2000, where the binary form begins
constexpr int64_t kSecondUs = 1'000'000;
constexpr int kFractionDigits = 6;

// Takes a number and the character behind it off `text`; `end` 0: whatever follows stays.
std::optional<int64_t> take_number(std::string_view& text, char end) {
  int64_t number = 0;
  const char* last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(stop - text.data()));
  if (end == 0) return number;
  if (!text.starts_with(end)) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

// Of the proleptic Gregorian calendar, in which every 400 years are alike. A year that begins in
// March has its leap day at its end.
int64_t days_since_1970(int64_t year, int64_t month, int64_t day) {
  constexpr int64_t kDaysOf400Years = 146'097;
  constexpr int64_t kFrom0000MarchTo1970 = 719'468;
  const int64_t march_year = month > 2 ? year : year - 1;
  const int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const int64_t year_of_era = march_year - era * 400;
  const int64_t march_month = (month + 9) % 12;
  const int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
  return era * kDaysOf400Years + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
         day_of_year - kFrom0000MarchTo1970;
}

std::optional<int64_t> take_date(std::string_view& text, bool before_christ) {
  const auto year = take_number(text, '-');
  const auto month = year ? take_number(text, '-') : std::nullopt;
  const auto day = month ? take_number(text, 0) : std::nullopt;
  if (!day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
  return days_since_1970(before_christ ? 1 - *year : *year, *month, *day);
}

// ".5" is 500000 microseconds.
int64_t take_fraction_us(std::string_view& text) {
  if (!text.starts_with('.')) return 0;
  text.remove_prefix(1);
  int64_t us = 0;
  for (int digits = 0; digits < kFractionDigits; ++digits) {
    const bool more = !text.empty() && text.front() >= '0' && text.front() <= '9';
    us = us * 10 + (more ? text.front() - '0' : 0);
    if (more) text.remove_prefix(1);
  }
  return us;
}

bool take_era(std::string_view& text) {
  if (!text.ends_with(kBeforeChrist)) return false;
  text.remove_suffix(kBeforeChrist.size());
  return true;
}

}  // namespace

std::optional<int64_t> days_of_text(std::string_view text) {
  if (text == "infinity") return std::numeric_limits<int32_t>::max() + kEpochDays;
  if (text == "-infinity") return std::numeric_limits<int32_t>::min() + kEpochDays;
  const bool before_christ = take_era(text);
  const auto days = take_date(text, before_christ);
  return text.empty() ? days : std::nullopt;
}

std::optional<int64_t> microseconds_of_text(std::string_view text) {
  const bool before_christ = take_era(text);
  const auto days = take_date(text, before_christ);
  if (!days || !text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_number(text, ':');
  const auto minute = hour ? take_number(text, ':') : std::nullopt;
  const auto second = minute ? take_number(text, 0) : std::nullopt;
  if (!second) return std::nullopt;
  const int64_t fraction_us = take_fraction_us(text);
  if (!text.empty() && text != "+00") return std::nullopt;
  const int64_t seconds = ((*days * 24 + *hour) * 60 + *minute) * 60 + *second;
  return seconds * kSecondUs + fraction_us;
}

}  // namespace outbox::postgres
