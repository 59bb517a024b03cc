#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/app/cli/dead_letters.h"

namespace outbox::app {

ExitCode discard_letters(const LetterWork& work) {
  const LettersLine& letters = work.letters();
  const LetterDesk& desk = work.desks.front();
  // The schema asks for a reason even where nothing happens.
  const std::string reason = letters.reason.empty() ? "dry run" : letters.reason;
  const auto done = desk.calls.discard(letters.filter, reason, letters.dry_run);
  if (!done) return work.report(done.error());
  if (done->letters == 0 && done->taken == 0) return work.nothing("no dead letter matches");
  if (work.line.output == OutputFormat::text) {
    work.terminal.out << (letters.dry_run ? "would discard " : "discarded ")
                      << letters_text(done->letters) << " of pipeline " << desk.pipeline << '\n';
  } else {
    const nlohmann::ordered_json json = {{"pipeline", desk.pipeline},
                                         {"dry_run", letters.dry_run},
                                         {"letters", done->letters},
                                         {"taken", done->taken}};
    work.terminal.out << json.dump() << '\n';
  }
  if (done->taken == 0) return ExitCode::ok;
  work.terminal.out.flush();
  work.tell(
      letters_text(done->taken) + (letters.dry_run ? " would stay" : " stayed") +
      ": a replay has taken them. Let it end, or end it first. Look: " + work.command("jobs"));
  if (done->letters == 0) return ExitCode::refused;
  return letters.dry_run ? ExitCode::ok : ExitCode::partly_done;
}

}  // namespace outbox::app
