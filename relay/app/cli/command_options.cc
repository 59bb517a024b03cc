#include "relay/app/cli/command_options.h"

#include "relay/app/cli/since.h"

namespace outbox::app {
namespace {

const Choices<OutputFormat> kFormats = {
    {"text", OutputFormat::text}, {"json", OutputFormat::json}, {"jsonl", OutputFormat::jsonl}};

}  // namespace

void add_config(CLI::App& app, CommandLine& line, bool required) {
  app.add_option("-c,--config", line.config_file, "the config, a TOML file")
      ->option_text("FILE")
      ->required(required);
}

void add_output(CLI::App& app, CommandLine& line) {
  add_choice(app, "-o,--output", "how the listing is written", line.output, kFormats);
}

void add_time(CLI::App& app, const std::string& name, const std::string& help,
              const std::function<void(const Since&)>& take) {
  const auto check = [](const std::string& text) {
    return parse_since(text) ? std::string()
                             : "takes a time such as 2026-01-31T08:00:00Z or an age such as 2h, "
                               "not \"" +
                                   text + '"';
  };
  const auto parse = [take](const std::string& text) {
    if (const auto since = parse_since(text)) take(*since);
  };
  app.add_option_function<std::string>(name, parse, help)->option_text("TIME")->check(check);
}

CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& help, Verb verb,
                   CommandLine& line) {
  CLI::App* command = app.add_subcommand(name, help);
  command->callback([&line, verb] { line.verb = verb; });
  return command;
}

}  // namespace outbox::app
