#pragma once
// Problem: one thing that is wrong with a config file, with its place and what to do. Problems are
// collected, never thrown: a person sees all of them at once.
//
// A Problem never holds a value that was filled in from the environment or a file, nor anything
// written in a key that holds a secret.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::app {

/// Where something stands in the file; both count from 1. Line 0: the file as a whole.
struct Place {
  uint32_t line = 0;
  uint32_t column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Problem {
  Place place;
  std::string what;    // "unknown key \"slots\" in [source.shop]", without a full stop
  std::string remedy;  // whole sentences, or empty
};

using Problems = std::vector<Problem>;

/// "relay.toml:12:3: what. Remedy", with control characters escaped, so that a line stays a line.
std::string to_string(std::string_view file, const Problem& problem);

/// By place; those of one place stay in the order they were found.
void sort_by_place(Problems& problems);

/// `text` in double quotes, control characters escaped, cut after 80 bytes: for names in messages.
std::string quoted(std::string_view text);

}  // namespace outbox::app
