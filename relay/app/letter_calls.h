#pragma once
// LetterCalls: what `outbox dead-letters` may ask of a pipeline's dead letters, as functions; the
// wiring fills them with the calls of a connector, tests with their own. Thread: one. Each waits
// for the server.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "relay/core/letters.h"
#include "relay/core/result.h"

namespace outbox::app {

struct LetterCalls {
  std::function<core::Result<std::vector<core::LetterGroup>>()> groups;
  std::function<core::Result<uint64_t>(const core::LetterQuery&)> count;
  std::function<core::Result<std::vector<core::Letter>>(const core::LetterQuery&)> page;
  std::function<core::Result<core::LetterHistory>(const core::Letter&)> history;
  std::function<core::Result<core::ReplayFiled>(const core::ReplayOrder&)> file;
  std::function<core::Result<core::LettersDiscarded>(const core::LetterFilter&,
                                                     const std::string& reason, bool dry_run)>
      discard;
  std::function<core::Result<core::LetterEdited>(const core::LetterEdit&)> edit;
  /// Newest first; or the one asked for, if it is of this pipeline.
  std::function<core::Result<std::vector<core::ReplayJob>>(std::optional<uint64_t> job,
                                                           uint64_t limit)>
      jobs;
  std::function<core::Result<void>(uint64_t job, core::ReplayAct act, const std::string& reason)>
      control;
};

}  // namespace outbox::app
