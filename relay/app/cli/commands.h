#pragma once
// The commands, one source file each. A command reads its CommandLine, writes to the terminal and
// says what the process ends with.

#include <optional>

#include "relay/app/cli/command_line.h"
#include "relay/app/cli/terminal.h"
#include "relay/app/wired.h"

namespace outbox::app {

ExitCode run_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode check_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode doctor_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode status_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode schema_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode verify_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);
ExitCode letters_command(const CommandLine& line, const Wired& wired, const Terminal& terminal);

/// The config of a command, or nothing after every problem was written to the terminal.
std::optional<Config> config_of(const CommandLine& line, const Wired& wired,
                                const Terminal& terminal);

/// The whole program but for its end: main() exits with what this gives.
ExitCode run_program(const std::vector<std::string>& arguments, const Wired& wired,
                     const Terminal& terminal);

}  // namespace outbox::app
