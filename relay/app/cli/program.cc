#include <iostream>

#include "relay/app/cli/commands.h"

namespace outbox::app {

std::optional<Config> config_of(const CommandLine& line, const Wired& wired,
                                const Terminal& terminal) {
  Loaded loaded = load_config(line.config_file, {process_surroundings(), wired.check_properties});
  for (const Problem& problem : loaded.problems) {
    terminal.error << to_string(line.config_file, problem) << '\n';
  }
  return std::move(loaded.config);
}

namespace {

ExitCode run_verb(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  switch (line.verb) {
    case Verb::run:
      return run_command(line, wired, terminal);
    case Verb::check:
      return check_command(line, wired, terminal);
    case Verb::doctor:
      return doctor_command(line, wired, terminal);
    case Verb::status:
      return status_command(line, wired, terminal);
    case Verb::schema_print:
    case Verb::schema_plan:
    case Verb::schema_apply:
    case Verb::schema_status:
      return schema_command(line, wired, terminal);
    case Verb::verify:
      return verify_command(line, wired, terminal);
    case Verb::letters_list:
    case Verb::letters_show:
    case Verb::letters_replay:
    case Verb::letters_discard:
    case Verb::letters_export:
    case Verb::letters_jobs:
      return letters_command(line, wired, terminal);
  }
  return ExitCode::usage;
}

}  // namespace

ExitCode run_program(const std::vector<std::string>& arguments, const Wired& wired,
                     const Terminal& terminal) {
  const auto parsed = parse_command_line(arguments);
  if (const auto* reply = std::get_if<Reply>(&parsed)) {
    (reply->exit == ExitCode::ok ? terminal.out : terminal.error) << reply->text;
    return reply->exit;
  }
  const ExitCode exit = run_verb(std::get<CommandLine>(parsed), wired, terminal);
  terminal.out.flush();
  // Data that did not come out (a full disk) must not look like a success.
  if (exit == ExitCode::ok && !terminal.out) {
    terminal.error << "outbox: cannot write to stdout\n";
    return ExitCode::failed;
  }
  return exit;
}

}  // namespace outbox::app
