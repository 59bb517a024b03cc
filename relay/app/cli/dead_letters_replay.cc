#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <utility>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/pause.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

// As hexadecimal digits it is twice that, and a statement of Postgres takes less than 1 GiB.
constexpr size_t kFileMost = size_t{256} << 20;

/// nullopt after it was told why.
std::optional<std::string> content_of(const LetterWork& work, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream read;
  if (in.is_open() && in.peek() != std::ifstream::traits_type::eof()) read << in.rdbuf();
  std::string content = std::move(read).str();
  if (!in.is_open() || in.bad()) {
    work.tell("cannot read " + file);
    return std::nullopt;
  }
  if (content.size() > kFileMost) {
    work.tell(file + " is larger than " + readable_bytes(kFileMost));
    return std::nullopt;
  }
  return content;
}

std::string beside(const core::ReplayFiled& filed) {
  std::string text;
  if (filed.behind > 0) {
    text += "; " + readable_count(filed.behind) +
            " more match, but stand behind a letter of their key that does not";
  }
  if (filed.taken > 0) {
    text += "; " + readable_count(filed.taken) + " more match, but belong to another job";
  }
  if (filed.spent > 0) {
    text += "; " + readable_count(filed.spent) +
            " more match, but were replayed as often as their route allows: --force takes them";
  }
  return text;
}

void write_count(const LetterWork& work, const LetterDesk& desk, const core::ReplayFiled& filed) {
  if (work.line.output == OutputFormat::text) {
    work.terminal.out << "would replay " << letters_text(filed.letters) << " of pipeline "
                      << desk.pipeline << beside(filed) << '\n';
    return;
  }
  const nlohmann::ordered_json json = {{"pipeline", desk.pipeline}, {"dry_run", true},
                                       {"letters", filed.letters},  {"behind", filed.behind},
                                       {"taken", filed.taken},      {"spent", filed.spent}};
  work.terminal.out << json.dump() << '\n';
}

ExitCode nothing_to_do(const LetterWork& work, const LetterDesk& desk,
                       const core::ReplayFiled& filed) {
  if (filed.taken > 0) {
    work.tell("all that match belong to another job already. Look: " + work.command("jobs"));
    return ExitCode::refused;
  }
  if (filed.spent > 0) {
    work.tell(
        "all that match were replayed as often as their route allows, in vain: --force "
        "takes them all the same");
    return ExitCode::refused;
  }
  // Letters that were never refused are not counted as those that a replay passes over.
  core::LetterQuery waiting;
  waiting.filter = work.letters().filter;
  waiting.states = core::kOpenStates;
  const auto open = desk.calls.count(waiting);
  if (!open) return work.report(open.error());
  if (*open > 0) {
    work.tell(
        "those that match stand behind a letter of their key that does not: replay or "
        "discard that one first. Look: " +
        work.command("list --all"));
    return ExitCode::refused;
  }
  return work.nothing("no dead letter matches");
}

/// The number of the letter that is meant; nullopt after it was told that it is not just one.
std::optional<uint64_t> single_letter(const LetterWork& work, const LetterDesk& desk,
                                      ExitCode& exit) {
  core::LetterQuery query;
  query.filter = work.letters().filter;
  query.states = core::kOpenStates;
  query.limit = 2;
  const auto letters = desk.calls.page(query);
  if (!letters) {
    exit = work.report(letters.error());
  } else if (letters->empty()) {
    exit = work.nothing("no open dead letter matches");
  } else if (letters->size() > 1) {
    work.tell("--edit and --headers are for one letter, and several match: name it with --letter");
    exit = ExitCode::usage;
  } else {
    return letters->front().letter;
  }
  return std::nullopt;
}

/// Puts the copy in the letter's place, if it can be replayed then; its number.
std::optional<uint64_t> edit_letter(const LetterWork& work, const LetterDesk& desk,
                                    ExitCode& exit) {
  const LettersLine& letters = work.letters();
  const auto original = single_letter(work, desk, exit);
  if (!original) return std::nullopt;
  core::LetterEdit edit{*original, std::nullopt, std::nullopt, letters.reason};
  exit = ExitCode::usage;
  if (!letters.payload_file.empty()) {
    edit.payload = content_of(work, letters.payload_file);
    if (!edit.payload) return std::nullopt;
  }
  if (!letters.headers_file.empty()) {
    edit.headers = content_of(work, letters.headers_file);
    if (!edit.headers) return std::nullopt;
  }
  core::ReplayOrder trial;
  trial.filter.letter = *original;
  trial.dry_run = true;
  trial.forced = true;  // an edited one begins anew
  const auto counted = desk.calls.file(trial);
  if (!counted) {
    exit = work.report(counted.error());
    return std::nullopt;
  }
  if (counted->letters == 0) {
    work.tell("letter " + std::to_string(*original) +
              (counted->taken > 0 ? " is being replayed."
                                  : " stands behind others of its key. Replay or discard those "
                                    "first, or all of them together.") +
              " It was not changed");
    exit = ExitCode::refused;
    return std::nullopt;
  }
  if (letters.dry_run) return original;
  const auto edited = desk.calls.edit(edit);
  if (!edited) {
    exit = work.report(edited.error());
    return std::nullopt;
  }
  work.tell("letter " + std::to_string(*original) + " is replaced by letter " +
            std::to_string(edited->letter) + ", event " + edited->event_id);
  return edited->letter;
}

ExitCode start(const LetterWork& work, const LetterDesk& desk, uint64_t job) {
  const auto jobs = desk.calls.jobs(job, 1);
  if (!jobs) return work.report(jobs.error());
  if (jobs->empty()) return work.nothing("job " + std::to_string(job) + " is gone");
  const WriteJob write = [&work](const core::ReplayJob& one) { write_job(work, one); };
  if (!work.letters().detach) return follow_job(work, desk, jobs->front(), write);
  write(jobs->front());
  return ExitCode::ok;
}

ExitCode go_on(const LetterWork& work) {
  const LettersLine& letters = work.letters();
  ExitCode exit = ExitCode::ok;
  const auto found = find_job(work, *letters.job, exit);
  if (!found) return exit;
  if (found->job.state == "paused") {
    const std::string reason = letters.reason.empty() ? "gone on with" : letters.reason;
    const auto done = found->desk->calls.control(*letters.job, core::ReplayAct::resume, reason);
    if (!done) return work.report(done.error());
  }
  return start(work, *found->desk, *letters.job);
}

}  // namespace

ExitCode replay_letters(const LetterWork& work) {
  const LettersLine& letters = work.letters();
  // From here on Ctrl-C waits until the job can be paused.
  if (!letters.detach && !pause_for(std::chrono::milliseconds(0))) return ExitCode::failed;
  if (letters.job) return go_on(work);
  const LetterDesk& desk = work.desks.front();
  core::ReplayOrder order{letters.filter,       letters.reason,  letters.rate,
                          letters.failures_max, letters.dry_run, letters.force};
  if (!letters.payload_file.empty() || !letters.headers_file.empty()) {
    ExitCode exit = ExitCode::failed;
    const auto letter = edit_letter(work, desk, exit);
    if (!letter) return exit;
    order.filter = {};
    order.filter.letter = *letter;
  }
  const auto filed = desk.calls.file(order);
  if (!filed) return work.report(filed.error());
  if (letters.dry_run && filed->letters + filed->behind + filed->taken + filed->spent > 0) {
    write_count(work, desk, *filed);
    return filed->letters > 0 ? ExitCode::ok : ExitCode::refused;
  }
  if (!filed->job) return nothing_to_do(work, desk, *filed);
  work.tell("job " + std::to_string(*filed->job) + ": " + letters_text(filed->letters) +
            beside(*filed));
  return start(work, desk, *filed->job);
}

}  // namespace outbox::app
