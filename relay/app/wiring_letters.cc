#include "relay/app/wiring_letters.h"

#include <memory>

#include "connectors/postgres/letter_desk.h"
#include "relay/app/wiring_options.h"

namespace outbox::app {

LetterCalls letter_calls(const Config& config, const PipelineConfig& pipeline) {
  const auto desk = std::make_shared<postgres::LetterDesk>(
      postgres_options(config.source_of(pipeline), pipeline));
  LetterCalls calls;
  calls.groups = [desk] { return desk->groups(); };
  calls.count = [desk](const core::LetterQuery& query) { return desk->count(query); };
  calls.page = [desk](const core::LetterQuery& query) { return desk->page(query); };
  calls.history = [desk](const core::Letter& letter) { return desk->history(letter); };
  calls.file = [desk](const core::ReplayOrder& order) { return desk->file(order); };
  calls.discard = [desk](const core::LetterFilter& filter, const std::string& reason,
                         bool dry_run) { return desk->discard(filter, reason, dry_run); };
  calls.edit = [desk](const core::LetterEdit& edit) { return desk->edit(edit); };
  calls.jobs = [desk](std::optional<uint64_t> job, uint64_t limit) {
    return desk->jobs(job, limit);
  };
  calls.control = [desk](uint64_t job, core::ReplayAct act, const std::string& reason) {
    return desk->control(job, act, reason);
  };
  return calls;
}

}  // namespace outbox::app
