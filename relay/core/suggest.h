#pragma once
// "Did you mean ...?": finds the known name that a mistyped one is closest to.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outbox::core {

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
size_t edit_distance(std::string_view a, std::string_view b);

/// The known name closest to `typed`, if it is close enough to be meant: at most a third of the
/// letters (but at least one, at most three) differ. Case and `-` against `_` count for nothing.
std::optional<std::string> closest(std::string_view typed, std::span<const std::string> known);

/// `Did you mean "slot"?`, or "" when nothing is close.
std::string did_you_mean(std::string_view typed, std::span<const std::string> known);

}  // namespace outbox::core
