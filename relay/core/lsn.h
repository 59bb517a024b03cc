#pragma once
// Lsn: a byte position in Postgres's write-ahead log, as pg_lsn. Printed the way Postgres prints it
// ("16/B374D848"). Zero is "invalid" in Postgres's own sense: nothing known yet. Several events
// share an LSN, so an Lsn alone is never a resume point (see position.h).

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

struct Lsn {
  uint64_t value = 0;

  constexpr bool valid() const { return value != 0; }
  friend constexpr auto operator<=>(Lsn, Lsn) = default;
};

/// "16/B374D848": high and low 32 bits in upper-case hex, as pg_lsn prints them.
std::string to_string(Lsn lsn);

/// The inverse; nullopt for anything that pg_lsn would not take.
std::optional<Lsn> parse_lsn(std::string_view text);

}  // namespace outbox::core
