#pragma once
// The verbs of `outbox dead-letters`, and what they have in common. For the sources beside it, and
// for `outbox verify --repair`, which files and follows a replay, too.

#include <functional>
#include <string>
#include <vector>

#include "relay/app/cli/commands.h"

namespace outbox::app {

struct LetterDesk {
  std::string pipeline;
  LetterCalls calls;
};

/// What a verb works with: the pipelines that were meant, at least one.
struct LetterWork {
  const CommandLine& line;
  const Terminal& terminal;
  std::vector<LetterDesk> desks;
  std::string speaker = "outbox dead-letters";

  const LettersLine& letters() const { return line.letters; }
  /// "outbox dead-letters <words> --config FILE", for people to go on with.
  std::string command(const std::string& words) const;
  void tell(const std::string& text) const;  // a line on stderr
  /// Tells the error; what the process ends with.
  ExitCode report(const core::Error& error) const;
  ExitCode nothing(const std::string& text) const;
};

ExitCode list_letters(const LetterWork& work);
ExitCode show_letter(const LetterWork& work);
ExitCode export_letters(const LetterWork& work);
ExitCode replay_letters(const LetterWork& work);
ExitCode discard_letters(const LetterWork& work);
ExitCode list_jobs(const LetterWork& work);

/// Writes a listing's items in one of the three forms, as they come.
class JsonListing {
 public:
  explicit JsonListing(const LetterWork& work)
      : terminal_(work.terminal), format_(work.line.output) {}
  /// False for text, which the caller writes itself.
  bool add(const std::string& json);
  void end();

 private:
  const Terminal& terminal_;
  OutputFormat format_;
  bool begun_ = false;
};

/// A job that was found, and at which desk.
struct FoundJob {
  const LetterDesk* desk = nullptr;
  core::ReplayJob job;
};
/// nullopt after it was told that there is none; `exit` is what the process ends with.
std::optional<FoundJob> find_job(const LetterWork& work, uint64_t job, ExitCode& exit);

/// Writes one job as data.
void write_job(const LetterWork& work, const core::ReplayJob& job);

/// Until the job ends or is paused; then it is written. Ctrl-C pauses it.
using WriteJob = std::function<void(const core::ReplayJob&)>;
ExitCode follow_job(const LetterWork& work, const LetterDesk& desk, core::ReplayJob job,
                    const WriteJob& write);
/// What a job's state means for the process.
ExitCode exit_of(const core::ReplayJob& job);

Shade shade_of_state(const std::string& state);
/// "1 letter", "312 letters".
std::string letters_text(uint64_t count);

}  // namespace outbox::app
