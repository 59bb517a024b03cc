#include "relay/app/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <utility>

#include "relay/app/cli/command_options.h"
#include "relay/app/cli/letters_options.h"
#include "relay/app/cli/since.h"
#include "relay/app/version.h"
#include "relay/core/suggest.h"

namespace outbox::app {
namespace {

const Choices<LogLevel> kLevels = {{"debug", LogLevel::debug},
                                   {"info", LogLevel::info},
                                   {"warn", LogLevel::warn},
                                   {"error", LogLevel::error}};
const Choices<LogFormat> kLogFormats = {{"text", LogFormat::text}, {"json", LogFormat::json}};

void add_schema(CLI::App& app, CommandLine& line) {
  CLI::App* schema = app.add_subcommand("schema", "the tables and functions in Postgres");
  schema->require_subcommand(1);
  schema->footer(
      "The database is --database, else DATABASE_URL, else the source of --config. A URL with a\n"
      "password belongs in DATABASE_URL: every user of the machine can read arguments.");
  add_verb(*schema, "print", "write the migrations as SQL to stdout", Verb::schema_print, line);
  CLI::App* plan = add_verb(*schema, "plan", "show what apply would run; touches nothing",
                            Verb::schema_plan, line);
  CLI::App* apply =
      add_verb(*schema, "apply", "run what is pending; safe to repeat", Verb::schema_apply, line);
  CLI::App* status =
      add_verb(*schema, "status", "list applied and pending migrations", Verb::schema_status, line);
  for (CLI::App* command : {plan, apply, status}) {
    command->add_option("--database", line.database, "the database's URL")->option_text("URL");
    add_config(*command, line, false);
    command->add_option("--source", line.source, "which source, if the config has several")
        ->option_text("NAME");
    add_output(*command, line);
  }
  apply
      ->add_option("--lock-timeout-ms", line.lock_timeout_ms,
                   "longest wait for a lock before a migration is undone (default 10000)")
      ->option_text("MS")
      ->check(CLI::Range(1u, 3'600'000u));
}

void add_verify(CLI::App& app, CommandLine& line) {
  CLI::App* verify = add_verb(app, "verify", "compare the source with the topics, event by event",
                              Verb::verify, line);
  add_config(*verify, line, true);
  verify->add_option("-p,--pipeline", line.pipeline, "which pipeline, if the config has several")
      ->option_text("NAME");
  add_time(*verify, "--since", "events written from then on only",
           [&line](const Since& since) { line.since = since; });
  verify->add_flag("--repair", line.repair, "send what is lost again, under its own ids");
  add_reason(*verify, line.letters);
  verify->add_flag("--dry-run", line.letters.dry_run, "with --repair: count only");
  add_output(*verify, line);
  verify->footer(
      "Changes nothing without --repair, and may run beside the relay. Temporary files, about 250\n"
      "bytes an event, are made in TMPDIR, else in /var/tmp. --repair makes letters of what is "
      "lost\n"
      "and files their replay, which the relay of the pipeline does; Ctrl-C pauses it. Exit "
      "codes:\n"
      "0 nothing is lost, altered, out of order or foreign (any more); 1 something is; 3 nothing "
      "to\n"
      "compare; 4 cannot be compared, or no right to repair; 5 unreachable; 6 partly repaired.");
  verify->callback([&line] {
    line.verb = Verb::verify;
    const LettersLine& letters = line.letters;
    if (!line.repair && (letters.dry_run || !letters.reason.empty())) {
      throw CLI::ValidationError("--dry-run and --reason go with --repair");
    }
    if (line.repair && letters.reason.empty() && !letters.dry_run) {
      throw CLI::ValidationError("--repair: --reason is required");
    }
  });
}

void add_commands(CLI::App& app, CommandLine& line) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "outbox " + std::string(version()));
  app.footer(
      "Exit codes: 0 ok, 1 failed, 2 usage or config, 3 nothing matched, 4 refused,\n"
      "5 unreachable, 6 partly done.");

  CLI::App* run =
      add_verb(app, "run", "run every pipeline of the config until SIGTERM", Verb::run, line);
  add_config(*run, line, true);
  add_choice(*run, "--log-level", "the least severe lines to log (default info)", line.log.level,
             kLevels);
  add_choice(*run, "--log-format", "how lines are logged to stderr", line.log.format, kLogFormats);

  CLI::App* check =
      add_verb(app, "check", "show everything that is wrong with the config", Verb::check, line);
  add_config(*check, line, true);
  add_output(*check, line);

  CLI::App* doctor =
      add_verb(app, "doctor", "look at Postgres and Kafka as they are", Verb::doctor, line);
  add_config(*doctor, line, true);
  add_output(*doctor, line);

  CLI::App* status =
      add_verb(app, "status", "one line a pipeline of the running relay", Verb::status, line);
  add_config(*status, line, true);
  add_output(*status, line);
  status->add_flag("-w,--watch", line.watch, "again every second, until Ctrl-C");

  add_schema(app, line);
  add_verify(app, line);
  add_dead_letters(app, line);
}

/// The command that was reached before parsing stopped.
const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

/// Verbs and flags that `app` knows.
std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words = command_names(app);
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    for (const std::string& name : option->get_snames()) words.push_back("-" + name);
  }
  return words;
}

std::string explained(const CLI::ParseError& error, const CLI::App& app) {
  const CLI::App& at = innermost(app);
  const std::string who = path_of(at);
  // Also when a required option is missing: most often it is the mistyped one.
  const std::vector<std::string> unknown = at.remaining();
  if (unknown.empty()) {
    const std::vector<std::string> commands = command_names(at);
    if (commands.empty()) return who + ": " + error.what() + ".";
    std::string text = who + ": a command is missing:";
    for (const std::string& name : commands) text += ' ' + name;
    return text;
  }
  // Up to "=": the value behind it may be secret.
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  const std::string kind = word.starts_with('-') ? "option" : "command";
  const std::string remedy = core::did_you_mean(word, known_words(at));
  return who + ": unknown " + kind + " \"" + word + "\"." + (remedy.empty() ? "" : " ") + remedy;
}

}  // namespace

std::variant<CommandLine, Reply> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  CLI::App app("Takes committed outbox events out of Postgres and brings them to Kafka.", "outbox");
  add_commands(app, line);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    if (error.get_exit_code() == 0) {
      app.exit(error, text, text);
      return Reply{text.str(), ExitCode::ok};
    }
    text << explained(error, app) << "\nTry: " << path_of(innermost(app)) << " --help\n";
    return Reply{text.str(), ExitCode::usage};
  }
  return line;
}

}  // namespace outbox::app
