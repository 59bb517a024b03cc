#include "relay/app/cli/since.h"

#include <charconv>
#include <string>

namespace outbox::app {
namespace {

constexpr int64_t kSecondsMost = 100LL * 365 * 86'400;

// Takes a text apart from its front; once something does not fit, nothing does.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  bool next_is(char c) const { return !text_.empty() && text_.front() == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// Exactly so many digits.
  std::optional<int> digits(size_t count) {
    int number = 0;
    if (text_.size() < count) return std::nullopt;
    const auto [end, fault] = std::from_chars(text_.data(), text_.data() + count, number);
    if (fault != std::errc() || end != text_.data() + count || number < 0) return std::nullopt;
    text_.remove_prefix(count);
    return number;
  }
  /// Behind the point of a second: microseconds.
  std::optional<int64_t> fraction() {
    int64_t us = 0;
    int64_t unit = 100'000;
    bool any = false;
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      us += (text_.front() - '0') * unit;
      unit /= 10;
      any = true;
      text_.remove_prefix(1);
    }
    return any ? std::optional(us) : std::nullopt;
  }

 private:
  std::string_view text_;
};

std::optional<std::chrono::seconds> parse_age(std::string_view text) {
  int64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
  if (fault != std::errc() || rest.size() != 1 || count < 1) return std::nullopt;
  constexpr std::string_view kUnits = "smhdw";
  constexpr int64_t kSeconds[] = {1, 60, 3600, 86'400, 604'800};
  const size_t unit = kUnits.find(rest.front());
  if (unit == kUnits.npos || count > kSecondsMost / kSeconds[unit]) return std::nullopt;
  return std::chrono::seconds(count * kSeconds[unit]);
}

std::optional<int64_t> parse_clock_us(Reader& reader) {
  const auto hours = reader.digits(2);
  if (!hours || !reader.take(':')) return std::nullopt;
  const auto minutes = reader.digits(2);
  if (!minutes) return std::nullopt;
  int64_t seconds = 0;
  int64_t us = 0;
  if (reader.take(':')) {
    const auto read = reader.digits(2);
    if (!read) return std::nullopt;
    seconds = *read;
    if (reader.take('.')) {
      const auto fraction = reader.fraction();
      if (!fraction) return std::nullopt;
      us = *fraction;
    }
  }
  if (*hours > 23 || *minutes > 59 || seconds > 60) return std::nullopt;
  return ((*hours * 60 + *minutes) * int64_t{60} + seconds) * 1'000'000 + us;
}

std::optional<int64_t> parse_offset_us(Reader& reader) {
  if (reader.at_end() || reader.take('Z')) return 0;
  const bool east = reader.next_is('+');
  if (!reader.take('+') && !reader.take('-')) return std::nullopt;
  const auto hours = reader.digits(2);
  if (!hours || *hours > 15) return std::nullopt;
  reader.take(':');
  const auto minutes = reader.at_end() ? std::optional(0) : reader.digits(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const int64_t us = (*hours * 60 + *minutes) * int64_t{60'000'000};
  return east ? us : -us;
}

std::optional<core::WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  Reader reader(text);
  const auto years = reader.digits(4);
  if (!years || !reader.take('-')) return std::nullopt;
  const auto months = reader.digits(2);
  if (!months || !reader.take('-')) return std::nullopt;
  const auto days = reader.digits(2);
  if (!days) return std::nullopt;
  const year_month_day date{year{*years}, month{static_cast<unsigned>(*months)},
                            day{static_cast<unsigned>(*days)}};
  if (!date.ok()) return std::nullopt;
  int64_t us = duration_cast<microseconds>(sys_days(date).time_since_epoch()).count();
  if (reader.at_end()) return core::WallTime{us};
  if (!reader.take('T') && !reader.take(' ')) return std::nullopt;
  const auto clock = parse_clock_us(reader);
  if (!clock) return std::nullopt;
  const auto offset = parse_offset_us(reader);
  if (!offset || !reader.at_end()) return std::nullopt;
  return core::WallTime{us + *clock - *offset};
}

}  // namespace

std::optional<Since> parse_since(std::string_view text) {
  if (const auto age = parse_age(text)) return Since(*age);
  if (const auto time = parse_time(text)) return Since(*time);
  return std::nullopt;
}

}  // namespace outbox::app
