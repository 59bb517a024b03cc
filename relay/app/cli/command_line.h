#pragma once
// CommandLine: what a person typed, understood. Pure: reads no file, starts nothing.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relay/app/cli/letters_line.h"
#include "relay/app/exit_code.h"
#include "relay/app/log/log.h"
#include "relay/app/verification.h"

namespace outbox::app {

enum class Verb {
  run,
  check,
  doctor,
  status,
  schema_print,
  schema_plan,
  schema_apply,
  schema_status,
  verify,
  letters_list,
  letters_show,
  letters_replay,
  letters_discard,
  letters_export,
  letters_jobs,
};

enum class OutputFormat { text, json, jsonl };

struct CommandLine {
  Verb verb = Verb::run;
  std::string config_file;  // empty where optional and not given
  OutputFormat output = OutputFormat::text;
  LogSettings log;

  std::string database;  // of `schema`; may hold a password
  std::string source;    // of `schema`: which source of the config
  unsigned lock_timeout_ms = 10'000;

  bool watch = false;  // of `status`

  std::string pipeline;        // of `verify` and `dead-letters`; empty: all, or the only one
  std::optional<Since> since;  // of `verify`

  bool repair = false;  // of `verify`

  LettersLine letters;  // of `dead-letters`; of `verify --repair` its reason and dry_run
};

/// Something to print instead of running a command: help, the version, or what is wrong.
struct Reply {
  std::string text;
  ExitCode exit = ExitCode::ok;  // ok: for stdout; usage: for stderr
};

/// `arguments` without the program's name.
std::variant<CommandLine, Reply> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace outbox::app
