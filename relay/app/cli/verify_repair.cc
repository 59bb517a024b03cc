// `outbox verify --repair`. Each step may be the last one, since the process may be killed: letters
// that were filed and have no replay yet get one by the next repair, and a replay that was filed is
// done by the relay whether somebody follows it or not.

#include <nlohmann/json.hpp>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/pause.h"
#include "relay/app/cli/progress_bar.h"
#include "relay/app/cli/verify.h"
#include "relay/app/cli/verify_listing.h"
#include "relay/verify/sorter.h"

namespace outbox::app {
namespace {

using core::Result;

constexpr size_t kLostBytes = 1024 * 1024;
constexpr uint64_t kJobsLooked = 1000;

bool is_repair(const core::ReplayJob& job) {
  const auto filter = nlohmann::json::parse(job.filter, nullptr, false);
  return filter.is_object() && filter.value("cause", "") == core::kLostCode;
}

class Repair {
 public:
  explicit Repair(const VerifyWork& work)
      : work_(work),
        letters_{work.line,
                 work.terminal,
                 {{work.pipeline.name, work.wired.letters(work.config, work.pipeline)}},
                 "outbox verify"},
        listing_(work.terminal, work.line.output),
        lost_(temporary_folder(), kLostBytes) {
    order_.filter.cause = core::kLostCode;
    order_.reason = work.line.letters.reason;
    report_.dry_run = work.line.letters.dry_run;
  }

  ExitCode run() {
    if (const auto refused = rehearse()) return *refused;
    ExitCode exit = ExitCode::ok;
    const auto outcome = compare(
        work_, [this](const verify::Finding& finding) { take(finding); }, exit);
    if (!outcome) return exit;
    listing_.summarize(work_.pipeline.name, *outcome);
    report_.lost = outcome->summary.lost;
    exit = report_.dry_run ? exit_of(outcome->summary) : repair(*outcome);
    listing_.conclude(report_);
    listing_.end();
    return exit;
  }

 private:
  const LetterCalls& calls() const { return letters_.desks.front().calls; }

  // Before hours of reading: may we, and what did others leave?
  std::optional<ExitCode> rehearse() {
    core::ReplayOrder trial = order_;
    trial.dry_run = true;
    if (trial.reason.empty()) trial.reason = "dry run";
    const auto counted = calls().file(trial);
    if (!counted) return letters_.report(counted.error());
    report_.waiting = counted->letters + counted->taken;
    return std::nullopt;
  }

  void take(const verify::Finding& finding) {
    listing_.add(finding);
    if (finding.anomaly != verify::Anomaly::lost) return;
    if (finding.overtaken_by) ++report_.overtaken;
    if (report_.dry_run || !kept_) return;
    kept_ = lost_.add({finding.seq.value_or(0), finding.overtaken_by.value_or(0)});
  }

  ExitCode repair(const VerifyOutcome& outcome) {
    if (!kept_) return letters_.report(kept_.error());
    if (report_.lost > 0) {
      if (const auto failed = file(outcome.begun_at)) return *failed;
    }
    if (report_.lost + report_.waiting == 0) return exit_of(outcome.summary);
    if (const auto exit = send(); exit != ExitCode::ok) return exit;
    return compare_again();
  }

  std::optional<ExitCode> file(core::WallTime found_at) {
    if (auto finished = lost_.finish(); !finished) return letters_.report(finished.error());
    ProgressBar bar(work_.terminal);
    const auto tell = [&](const FiledEvent& event) {
      if (event.overtaken_by) bar.clear();
      listing_.add(event);
      bar.show("filing lost events", ++report_.counts.filed, report_.lost);
    };
    const auto counts =
        work_.wired.file_lost({work_.config, work_.pipeline, found_at, order_.reason,
                               [this] { return lost_.next(); }, tell});
    bar.clear();
    if (!counts) {
      const ExitCode exit = letters_.report(counts.error());
      letters_.tell(
          "What was filed by now is kept. Run the same command again: it goes on from "
          "there, and files nothing twice");
      return exit;
    }
    report_.counts = *counts;
    return std::nullopt;
  }

  // From here on Ctrl-C pauses the job.
  ExitCode send() {
    if (!pause_for(std::chrono::milliseconds(0))) return ExitCode::partly_done;
    const auto filed = calls().file(order_);
    if (!filed) return letters_.report(filed.error());
    ExitCode exit = ExitCode::ok;
    auto job = filed->job ? job_of(*filed->job, exit) : job_of_earlier(exit);
    if (exit == ExitCode::ok && job) {
      letters_.tell("job " + std::to_string(job->job) + ": " + letters_text(job->selected));
      exit = follow_job(letters_, letters_.desks.front(), *job,
                        [this](const core::ReplayJob& seen) { report_.job = seen; });
    }
    end_pauses();
    return exit;
  }

  std::optional<core::ReplayJob> job_of(uint64_t number, ExitCode& exit) {
    const auto jobs = calls().jobs(number, 1);
    if (jobs && !jobs->empty()) return jobs->front();
    exit = jobs ? letters_.nothing("job " + std::to_string(number) + " is gone")
                : letters_.report(jobs.error());
    return std::nullopt;
  }

  /// The job that an earlier repair filed, and that is not over.
  std::optional<core::ReplayJob> job_of_earlier(ExitCode& exit) {
    const auto jobs = calls().jobs(std::nullopt, kJobsLooked);
    if (!jobs) exit = letters_.report(jobs.error());
    if (!jobs) return std::nullopt;
    for (const core::ReplayJob& job : *jobs) {
      if (!job.over() && is_repair(job)) return job;
    }
    return std::nullopt;
  }

  ExitCode compare_again() {
    ExitCode exit = ExitCode::ok;
    const auto outcome = compare(
        work_, [](const verify::Finding&) {}, exit);
    if (!outcome) return exit;
    report_.again = outcome->summary;
    return exit_of(outcome->summary);
  }

  const VerifyWork& work_;
  const LetterWork letters_;
  VerifyListing listing_;
  verify::Sorter<LostRow> lost_;
  Result<void> kept_;  // whether lost_ could take them
  core::ReplayOrder order_;
  RepairReport report_;
};

}  // namespace

ExitCode repair_lost(const VerifyWork& work) {
  // Such a table cannot be compared, and has no letters; verify says so.
  if (work.config.source_of(work.pipeline).mode == SourceMode::status) {
    ExitCode exit = ExitCode::refused;
    compare(
        work, [](const verify::Finding&) {}, exit);
    return exit;
  }
  return Repair(work).run();
}

}  // namespace outbox::app
