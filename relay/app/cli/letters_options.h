#pragma once
// The options of `outbox dead-letters`, and which of them go together.

#include <CLI/CLI.hpp>

#include "relay/app/cli/command_line.h"

namespace outbox::app {

/// `line` outlives the parsing.
void add_dead_letters(CLI::App& app, CommandLine& line);

/// --reason TEXT. Whether one is needed the command says.
void add_reason(CLI::App& app, LettersLine& letters);

}  // namespace outbox::app
