#include "relay/app/cli/verify.h"

#include <cstdlib>
#include <ostream>

#include "relay/app/cli/progress_bar.h"
#include "relay/app/cli/verify_listing.h"

namespace outbox::app {
namespace {

const char* text_of(VerifyStep::Phase phase) {
  switch (phase) {
    case VerifyStep::Phase::rows:
      return "reading rows";
    case VerifyStep::Phase::records:
      return "reading records";
    case VerifyStep::Phase::comparing:
      return "comparing";
  }
  return "";
}

const PipelineConfig* find_pipeline(const Config& config, const CommandLine& line,
                                    const Terminal& terminal) {
  std::string names;
  for (const PipelineConfig& pipeline : config.pipelines) {
    if (pipeline.name == line.pipeline) return &pipeline;
    names += (names.empty() ? "" : ", ") + pipeline.name;
  }
  if (line.pipeline.empty() && config.pipelines.size() == 1) return &config.pipelines.front();
  terminal.error << "outbox verify: "
                 << (line.pipeline.empty()
                         ? "which pipeline? --pipeline is one of: "
                         : "no pipeline \"" + line.pipeline + "\" in " + config.file + ", only: ")
                 << names << '\n';
  return nullptr;
}

ExitCode exit_of(const core::Error& error) {
  if (error.code == kNothingToCompare) return ExitCode::nothing_matched;
  if (error.code == kCannotCompare) return ExitCode::refused;
  return error.fault == core::Fault::retry ? ExitCode::unreachable : ExitCode::failed;
}

}  // namespace

// Large files are no good in a /tmp that is memory.
std::string temporary_folder() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

ExitCode exit_of(const verify::Summary& summary) {
  return summary.clean() ? ExitCode::ok : ExitCode::failed;
}

std::optional<VerifyOutcome> compare(const VerifyWork& work, const verify::Tell& tell,
                                     ExitCode& exit) {
  ProgressBar bar(work.terminal);
  const auto progress = [&bar](const VerifyStep& step) {
    bar.show(text_of(step.phase), step.done, step.total);
  };
  const auto tell_one = [&](const verify::Finding& finding) {
    bar.clear();
    tell(finding);
  };
  auto outcome = work.wired.verify(VerifyInputs{work.config, work.pipeline, work.line.since,
                                                temporary_folder(), progress, tell_one});
  bar.clear();
  if (outcome) return std::move(*outcome);
  work.terminal.error << "outbox verify: " << to_string(outcome.error()) << ".\n";
  exit = exit_of(outcome.error());
  return std::nullopt;
}

ExitCode verify_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;
  const PipelineConfig* pipeline = find_pipeline(*config, line, terminal);
  if (pipeline == nullptr) return ExitCode::usage;
  const VerifyWork work{line, wired, terminal, *config, *pipeline};
  if (line.repair) return repair_lost(work);
  VerifyListing listing(terminal, line.output);
  ExitCode exit = ExitCode::ok;
  const auto outcome = compare(
      work, [&](const verify::Finding& finding) { listing.add(finding); }, exit);
  if (!outcome) return exit;
  listing.summarize(pipeline->name, *outcome);
  listing.end();
  return exit_of(outcome->summary);
}

}  // namespace outbox::app
