#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/app/cli/commands.h"

namespace outbox::app {
namespace {

nlohmann::ordered_json as_json(const std::string& file, const Problem& problem) {
  return {{"file", file},
          {"line", problem.place.line},
          {"column", problem.place.column},
          {"what", problem.what},
          {"remedy", problem.remedy}};
}

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_problems(const Loaded& loaded, const CommandLine& line, const Terminal& terminal) {
  if (line.output == OutputFormat::text) {
    for (const Problem& problem : loaded.problems) {
      terminal.error << to_string(line.config_file, problem) << '\n';
    }
    return;
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Problem& problem : loaded.problems) {
    const auto one = as_json(line.config_file, problem);
    if (line.output == OutputFormat::jsonl) terminal.out << dumped(one) << '\n';
    all.push_back(one);
  }
  if (line.output == OutputFormat::json) terminal.out << dumped(all) << '\n';
}

}  // namespace

ExitCode check_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const Loaded loaded =
      load_config(line.config_file, {process_surroundings(), wired.check_properties});
  write_problems(loaded, line, terminal);
  if (!loaded.config) return ExitCode::usage;
  if (line.output == OutputFormat::text) {
    terminal.out << "ok: " << line.config_file << '\n';
    for (const PipelineConfig& pipeline : loaded.config->pipelines) {
      terminal.out << "  " << pipeline.name << ": " << pipeline.source << " -> " << pipeline.sink
                   << ", " << pipeline.routes.size()
                   << (pipeline.routes.size() == 1 ? " route" : " routes") << '\n';
    }
  }
  return ExitCode::ok;
}

}  // namespace outbox::app
