#pragma once
// Fills `${VAR}` and `${file:/path}` into the strings of a config, once, at load. What was filled
// in is not looked at again, so a value may hold any character. Lower-case placeholders belong to
// single events and are left alone where they are allowed.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "relay/core/result.h"

namespace outbox::app {

/// Where values come from; tests bring their own.
struct Surroundings {
  /// An environment variable; nullopt when it is not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  /// A whole file; the error's `detail` says why it cannot be read.
  std::function<core::Result<std::string>(const std::string& path)> file;
};

/// This process's environment and file system. Files are read up to 64 KiB.
Surroundings process_surroundings();

/// Reads a regular file (or a pipe) of at most `bytes_max`.
core::Result<std::string> read_file(const std::string& path, size_t bytes_max);

enum class Placeholders : uint8_t {
  none,       // ${VAR} and ${file:...} only
  per_event,  // ${aggregate_type} stays as it is
  groups,     // ${name} of a regular expression's group stays: it begins in lower case
};

struct Interpolated {
  std::string value;
  bool filled_in = false;  // something came from outside: never show `value`
};

/// An Error has `detail` (what is wrong) and `hint` (the remedy).
core::Result<Interpolated> interpolate(std::string_view text, Placeholders placeholders,
                                       const Surroundings& surroundings);

}  // namespace outbox::app
