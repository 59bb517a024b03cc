#pragma once
// load_config: a TOML file in, a checked Config or every problem with it out. Reads the file, the
// environment and the secret files it names; touches nothing else.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/app/config/config.h"
#include "relay/app/config/interpolate.h"
#include "relay/app/config/problem.h"

namespace outbox::app {

/// One entry of `properties` that the sink's client library would not take, or that would break an
/// invariant.
struct PropertyFault {
  std::string name;
  std::string what;    // a fragment, without the value
  std::string remedy;  // whole sentences, or empty
};

/// Judges `properties`; the wiring passes the Kafka connector's own check, so that the config knows
/// no client library.
using PropertyCheck =
    std::function<std::vector<PropertyFault>(const std::map<std::string, std::string>&)>;

struct LoadSettings {
  Surroundings surroundings;
  PropertyCheck check_properties;  // may be empty
};

struct Loaded {
  std::optional<Config> config;  // only without problems
  Problems problems;             // by place
};

/// `file` is only what messages call it.
Loaded parse_config(std::string_view toml, const std::string& file, const LoadSettings& settings);

Loaded load_config(const std::string& file, const LoadSettings& settings);

}  // namespace outbox::app
