#pragma once
// `outbox verify`, and what its --repair shares with it. For the sources beside it.

#include <optional>
#include <string>

#include "relay/app/cli/commands.h"

namespace outbox::app {

struct VerifyWork {
  const CommandLine& line;
  const Wired& wired;
  const Terminal& terminal;
  const Config& config;
  const PipelineConfig& pipeline;
};

/// One comparison, with its progress shown; nullopt after its error was told, `exit` is what the
/// process ends with then.
std::optional<VerifyOutcome> compare(const VerifyWork& work, const verify::Tell& tell,
                                     ExitCode& exit);
ExitCode exit_of(const verify::Summary& summary);

/// Where large temporary files may be made.
std::string temporary_folder();

/// Compares, has what is lost sent again, and compares again.
ExitCode repair_lost(const VerifyWork& work);

}  // namespace outbox::app
