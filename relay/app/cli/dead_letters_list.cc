#include <algorithm>
#include <ostream>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/letter_json.h"
#include "relay/app/cli/payload_text.h"
#include "relay/app/cli/table.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

constexpr uint64_t kPage = 500;
constexpr size_t kStateColumn = 1;

std::string cause_of(const core::LetterGroup& group) {
  return group.code.value_or("behind others of their key") + " on " +
         group.topic.value_or("no topic");
}

// A second is fine enough for people.
std::string to_the_second(const std::string& time) {
  const size_t point = time.find('.');
  return point == time.npos ? time : time.substr(0, point) + "Z";
}

ExitCode list_groups(const LetterWork& work) {
  Table table({"CAUSE", "STATE", "LETTERS", "FIRST", "LAST", "PIPELINE"}, kStateColumn);
  JsonListing listing(work);
  uint64_t letters = 0;
  ExitCode exit = ExitCode::ok;
  for (const LetterDesk& desk : work.desks) {
    const auto groups = desk.calls.groups();
    if (!groups) {
      exit = work.report(groups.error());
      continue;
    }
    for (const core::LetterGroup& group : *groups) {
      letters += group.letters;
      if (listing.add(json_of(group))) continue;
      table.add({cause_of(group), group.state, readable_count(group.letters),
                 to_the_second(group.first_at), to_the_second(group.last_at), group.pipeline},
                shade_of_state(group.state));
    }
  }
  listing.end();
  if (exit == ExitCode::ok && letters == 0) return work.nothing("there is no open dead letter");
  if (work.line.output == OutputFormat::text && letters > 0) table.write(work.terminal);
  return exit;
}

std::string payload_lines(const core::Letter& letter) {
  if (!letter.content) return "";
  const core::LetterContent& content = *letter.content;
  std::string text = "    headers  " + one_line(content.headers) + "\n    payload  ";
  if (!content.payload) return text + "NULL\n";
  return text +
         (is_readable(*content.payload) ? one_line(*content.payload)
                                        : "\\x" + hex_of(*content.payload)) +
         "\n";
}

/// Letters of all desks, up to the limit.
class LetterListing {
 public:
  explicit LetterListing(const LetterWork& work) : work_(work), listing_(work) {}

  ExitCode run() {
    ExitCode exit = ExitCode::ok;
    for (const LetterDesk& desk : work_.desks) {
      const auto done = list(desk);
      if (!done) exit = work_.report(done.error());
    }
    listing_.end();
    if (more_ > 0) {
      work_.terminal.out.flush();
      work_.tell("and " + letters_text(more_) + " more; --limit N shows more of them");
    }
    if (exit == ExitCode::ok && shown_ == 0) return work_.nothing("no dead letter matches");
    return exit;
  }

 private:
  core::Result<void> list(const LetterDesk& desk) {
    const LettersLine& letters = work_.letters();
    core::LetterQuery query;
    query.filter = letters.filter;
    query.states = letters.states;
    query.parts = letters.payload ? core::LetterParts::payload : core::LetterParts::listing;
    uint64_t here = 0;
    while (shown_ < letters.limit) {
      query.limit = std::min(kPage, letters.limit - shown_);
      const auto page = desk.calls.page(query);
      if (!page) return page.error();
      if (page->empty()) return {};
      write(*page);
      here += page->size();
      shown_ += page->size();
      query.after = page->back().letter;
    }
    const auto all = desk.calls.count(query);
    if (!all) return all.error();
    more_ += *all - std::min(*all, here);
    return {};
  }

  void write(const std::vector<core::Letter>& page) {
    Table table({"LETTER", "STATE", "AGE", "PIPELINE", "TOPIC", "TYPE", "KEY", "CODE", "TRIES"},
                kStateColumn);
    bool text = false;
    for (const core::Letter& one : page) {
      if (listing_.add(json_of(one))) continue;
      text = true;
      table.add(
          {std::to_string(one.letter), one.state, readable_seconds(std::max(one.age_seconds, 0.0)),
           one.pipeline, one.topic.value_or("-"), one.type, one.key.value_or("-"),
           one.last_code.value_or("-"), readable_count(one.attempts + one.replays)},
          shade_of_state(one.state), payload_lines(one));
    }
    if (!text) return;
    table.write(work_.terminal, shown_ == 0 ? Table::Headings::shown : Table::Headings::left_out);
  }

  const LetterWork& work_;
  JsonListing listing_;
  uint64_t shown_ = 0;
  uint64_t more_ = 0;
};

}  // namespace

ExitCode list_letters(const LetterWork& work) {
  const LettersLine& letters = work.letters();
  const bool each =
      letters.all || letters.states_given || letters.payload || !letters.filter.empty();
  return each ? LetterListing(work).run() : list_groups(work);
}

}  // namespace outbox::app
