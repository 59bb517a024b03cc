#include <algorithm>
#include <tuple>
#include <utility>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/pause.h"
#include "relay/app/cli/progress_bar.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

using std::chrono::steady_clock;

constexpr auto kLookEvery = std::chrono::milliseconds(200);
constexpr auto kIdleNotice = std::chrono::seconds(10);
// The job goes on without us; this is how long its store may be away before we stop looking.
constexpr auto kAwayMost = std::chrono::seconds(60);

class Follower {
 public:
  Follower(const LetterWork& work, const LetterDesk& desk, core::ReplayJob job,
           const WriteJob& write)
      : work_(work),
        desk_(desk),
        job_(std::move(job)),
        write_(write),
        bar_(work.terminal),
        moved_at_(steady_clock::now()),
        seen_at_(moved_at_) {}

  ExitCode run() {
    while (!job_.over() && !job_.rests()) {
      bar_.show("job " + std::to_string(job_.job), job_.delivered + job_.refused, job_.selected);
      if (!pause_for(kLookEvery)) return pause_job();
      if (const auto exit = look()) return *exit;
      notice_idleness();
    }
    return end();
  }

 private:
  std::string go_on() const {
    return work_.command("replay") + " --job " + std::to_string(job_.job);
  }

  std::optional<ExitCode> look() {
    const auto now = steady_clock::now();
    auto jobs = desk_.calls.jobs(job_.job, 1);
    if (!jobs) {
      const bool passing = jobs.error().fault == core::Fault::retry && jobs.error().code != "42501";
      if (passing && now - seen_at_ < kAwayMost) return std::nullopt;
      bar_.clear();
      const ExitCode exit = work_.report(jobs.error());
      work_.tell("The relay goes on with job " + std::to_string(job_.job) +
                 " all the same. Follow it: " + go_on());
      return exit;
    }
    seen_at_ = now;
    if (jobs->empty()) return work_.nothing("job " + std::to_string(job_.job) + " is gone");
    core::ReplayJob& seen = jobs->front();
    if (std::tie(seen.delivered, seen.refused, seen.activity) !=
        std::tie(job_.delivered, job_.refused, job_.activity)) {
      moved_at_ = now;
      told_idle_ = false;
    }
    job_ = std::move(seen);
    return std::nullopt;
  }

  void notice_idleness() {
    if (told_idle_ || steady_clock::now() - moved_at_ < kIdleNotice) return;
    told_idle_ = true;
    bar_.clear();
    work_.tell("nobody has worked on job " + std::to_string(job_.job) +
               " for 10 s: the relay of pipeline " + job_.pipeline +
               " does not seem to run, or cannot deliver. The job waits for it. Look: outbox "
               "status --config " +
               work_.line.config_file);
  }

  // Pausing once more does no harm, so a connection that just broke is no reason to give up.
  ExitCode pause_job() {
    bar_.clear();
    core::Result<void> done;
    for (int tries = 0; tries < 2; ++tries) {
      done = desk_.calls.control(job_.job, core::ReplayAct::pause, "the command was interrupted");
      const auto jobs = desk_.calls.jobs(job_.job, 1);
      if (jobs && !jobs->empty()) job_ = jobs->front();
      if (job_.over() || job_.rests()) return end();
    }
    if (!done) work_.report(done.error());
    work_.tell("job " + std::to_string(job_.job) +
               " could not be paused, and goes on. Follow it: " + go_on());
    return ExitCode::partly_done;
  }

  ExitCode end() {
    bar_.clear();
    write_(job_);
    const uint64_t left = job_.selected - std::min(job_.selected, job_.delivered + job_.refused);
    if (job_.state == "proposed") {
      work_.tell("its route asks for a second person. Another login approves it: " +
                 work_.command("jobs") + " --approve " + std::to_string(job_.job) +
                 " --reason TEXT");
    } else if (job_.state == "paused") {
      work_.tell("go on: " + go_on());
      work_.tell("or end it: " + work_.command("jobs") + " --end " + std::to_string(job_.job) +
                 " --reason TEXT");
    } else if (job_.refused > 0 || job_.state == "stopped") {
      const std::string untried =
          "; not tried: " + readable_count(left) +
          ", which stand behind those of their key or came later in the job";
      work_.tell("refused again: " + letters_text(job_.refused) + (left > 0 ? untried : "") +
                 ". Look: " + work_.command("list"));
    }
    return exit_of(job_);
  }

  const LetterWork& work_;
  const LetterDesk& desk_;
  core::ReplayJob job_;
  const WriteJob& write_;
  ProgressBar bar_;
  steady_clock::time_point moved_at_;
  steady_clock::time_point seen_at_;
  bool told_idle_ = false;
};

}  // namespace

ExitCode exit_of(const core::ReplayJob& job) {
  return job.state == "done" && job.refused == 0 ? ExitCode::ok : ExitCode::partly_done;
}

ExitCode follow_job(const LetterWork& work, const LetterDesk& desk, core::ReplayJob job,
                    const WriteJob& write) {
  return Follower(work, desk, std::move(job), write).run();
}

}  // namespace outbox::app
