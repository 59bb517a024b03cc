#pragma once
// Loads a config from a text, with surroundings of the test's own.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "relay/app/config/load.h"

namespace outbox::app {

inline LoadSettings settings_with(std::map<std::string, std::string> variables,
                                  PropertyCheck check = {}) {
  LoadSettings settings;
  settings.check_properties = std::move(check);
  settings.surroundings.variable =
      [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  settings.surroundings.file = [](const std::string& path) -> core::Result<std::string> {
    if (path == "/run/token") return std::string("0123456789abcdef0123\n");
    return core::Error{core::Fault::reject, "FILE_UNREADABLE", "", "", "No such file", ""};
  };
  return settings;
}

inline Loaded load_text(std::string_view toml) {
  return parse_config(toml, "relay.toml",
                      settings_with({{"DATABASE_URL", "postgresql://relay:canary-url@db/shop"},
                                     {"KAFKA_BOOTSTRAP", "kafka:9092"}}));
}

/// Every problem, one a line, as `outbox check` prints them.
inline std::string problems_of(std::string_view toml) {
  std::string all;
  for (const Problem& problem : load_text(toml).problems) {
    all += to_string("relay.toml", problem) + "\n";
  }
  return all;
}

inline const std::string kSource = R"([source.shop]
type = "postgres"
url = "${DATABASE_URL}"
)";
inline const std::string kSink = R"([sink.kafka]
type = "kafka"
bootstrap_servers = "${KAFKA_BOOTSTRAP}"
)";
inline const std::string kPipeline = R"([[pipeline]]
name = "orders"
source = "shop"
sink = "kafka"
)";
inline const std::string kMinimal = kSource + kSink + kPipeline;

}  // namespace outbox::app
