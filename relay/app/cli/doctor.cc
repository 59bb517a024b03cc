#include <ostream>

#include "relay/app/cli/commands.h"

namespace outbox::app {

ExitCode doctor_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  if (!config_of(line, wired, terminal)) return ExitCode::usage;
  return ExitCode::failed;
}

}  // namespace outbox::app
