#include <ostream>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/letter_json.h"
#include "relay/app/cli/table.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

constexpr uint64_t kJobsMost = 1000;

std::string asked_by(const core::ReplayJob& job) {
  return job.asked_by + (job.approved_by ? ", approved by " + *job.approved_by : "");
}

void write_jobs(const std::vector<core::ReplayJob>& jobs, const Terminal& terminal) {
  constexpr size_t kStateColumn = 1;
  Table table(
      {"JOB", "STATE", "LETTERS", "DELIVERED", "REFUSED", "PIPELINE", "ASKED AT", "BY", "REASON"},
      kStateColumn);
  for (const core::ReplayJob& job : jobs) {
    table.add({std::to_string(job.job), job.state, readable_count(job.selected),
               readable_count(job.delivered), readable_count(job.refused), job.pipeline,
               job.asked_at.substr(0, job.asked_at.find('.')) + "Z", asked_by(job), job.reason},
              shade_of_state(job.state));
  }
  table.write(terminal);
}

ExitCode control_job(const LetterWork& work) {
  const LettersLine& letters = work.letters();
  ExitCode exit = ExitCode::ok;
  const auto found = find_job(work, *letters.job, exit);
  if (!found) return exit;
  const LetterCalls& calls = found->desk->calls;
  const auto done = calls.control(*letters.job, *letters.act, letters.reason);
  if (!done) return work.report(done.error());
  const auto after = calls.jobs(letters.job, 1);
  if (!after) return work.report(after.error());
  if (!after->empty()) write_job(work, after->front());
  return ExitCode::ok;
}

}  // namespace

void write_job(const LetterWork& work, const core::ReplayJob& job) {
  if (work.line.output != OutputFormat::text) {
    work.terminal.out << json_of(job) << '\n';
  } else {
    work.terminal.out << "job " << job.job << " of pipeline " << job.pipeline << " is "
                      << work.terminal.shaded(shade_of_state(job.state), job.state) << ": "
                      << letters_text(job.selected) << ", " << readable_count(job.delivered)
                      << " delivered, " << readable_count(job.refused) << " refused\n";
  }
  work.terminal.out.flush();
}

std::optional<FoundJob> find_job(const LetterWork& work, uint64_t job, ExitCode& exit) {
  for (const LetterDesk& desk : work.desks) {
    const auto found = desk.calls.jobs(job, 1);
    if (!found) {
      exit = work.report(found.error());
    } else if (!found->empty()) {
      return FoundJob{&desk, found->front()};
    }
  }
  if (exit == ExitCode::ok) {
    exit = work.nothing("there is no replay job " + std::to_string(job) +
                        ". Look: " + work.command("jobs"));
  }
  return std::nullopt;
}

ExitCode list_jobs(const LetterWork& work) {
  if (work.letters().act) return control_job(work);
  JsonListing listing(work);
  std::vector<core::ReplayJob> all;
  ExitCode exit = ExitCode::ok;
  for (const LetterDesk& desk : work.desks) {
    const auto jobs = desk.calls.jobs(std::nullopt, kJobsMost);
    if (!jobs) {
      exit = work.report(jobs.error());
      continue;
    }
    if (jobs->size() == kJobsMost) work.tell("the newest 1,000 jobs of pipeline " + desk.pipeline);
    for (const core::ReplayJob& job : *jobs) {
      listing.add(json_of(job));
      all.push_back(job);
    }
  }
  listing.end();
  if (exit == ExitCode::ok && all.empty()) return work.nothing("no replay was asked for yet");
  if (work.line.output == OutputFormat::text && !all.empty()) write_jobs(all, work.terminal);
  return exit;
}

}  // namespace outbox::app
