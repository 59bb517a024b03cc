#include <ostream>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/letter_json.h"
#include "relay/app/cli/payload_text.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

// The same event in several pipelines, edits of it: more than these are listed with `list --id`.
constexpr uint64_t kShownMost = 100;

/// Writes "name   text" lines.
class Facts {
 public:
  explicit Facts(const Terminal& terminal) : terminal_(terminal) {}

  void add(const std::string& name, const std::string& text) const {
    constexpr size_t kWidth = 14;
    terminal_.out << name << std::string(name.size() < kWidth ? kWidth - name.size() : 1, ' ')
                  << one_line(text) << '\n';
  }

 private:
  const Terminal& terminal_;
};

std::string refusal(const std::optional<std::string>& code,
                    const std::optional<std::string>& detail) {
  if (!code) return "none: it stands behind others of its key";
  return *code + (detail ? ", " + *detail : "");
}

void write_payload(const core::LetterContent& content, const Terminal& terminal) {
  const Facts facts(terminal);
  if (!content.payload_bytes) {
    facts.add("payload", "NULL");
    return;
  }
  facts.add("payload", content.payload_kind + ", " + readable_bytes(content.payload_bytes) +
                           (content.payload ? "" : "; --payload shows it"));
  if (!content.payload) return;
  const bool text = is_readable(*content.payload);
  terminal.out << (text ? *content.payload : "\\x" + hex_of(*content.payload)) << '\n';
}

std::string text_of(const core::LetterLane& lane) {
  std::string text = lane.state + "; before this letter " + readable_count(lane.before) +
                     ", behind it " + readable_count(lane.behind);
  if (lane.next_attempt_at && lane.state == "held") text += "; next try " + *lane.next_attempt_at;
  if (lane.give_up_at && lane.state == "held") text += "; parked at last " + *lane.give_up_at;
  if (lane.job && *lane.job > 0) text += "; in replay job " + std::to_string(*lane.job);
  if (lane.job && *lane.job == 0) text += "; the relay tries it now";
  return text;
}

std::string text_of(const core::LetterAct& act) {
  std::string text = act.action + " by " + act.who + " (" + act.client + ")";
  if (act.job) text += ", job " + std::to_string(*act.job);
  if (act.reason) text += ": " + *act.reason;
  if (act.detail) text += " " + *act.detail;
  return text;
}

void write_text(const core::Letter& letter, const core::LetterHistory& history,
                const Terminal& terminal) {
  const Facts facts(terminal);
  terminal.out << "letter        " << letter.letter << "  "
               << terminal.shaded(shade_of_state(letter.state), letter.state) << '\n';
  facts.add("pipeline", letter.pipeline);
  facts.add("event", letter.event_id);
  facts.add("type", letter.aggregate_type + " " + letter.type);
  facts.add("key", letter.key.value_or("none"));
  facts.add("topic", letter.topic.value_or("none fits"));
  facts.add("refused with", refusal(letter.last_code, letter.last_detail));
  if (letter.first_code != letter.last_code || letter.first_detail != letter.last_detail) {
    facts.add("at first", refusal(letter.first_code, letter.first_detail));
  }
  facts.add("tries", readable_count(letter.attempts) + " when it came, " +
                         readable_count(letter.replays) + " replays");
  facts.add("committed", letter.commit_time);
  facts.add("written", letter.written_at + " by " + letter.relay);
  facts.add("last try", letter.last_attempt_at);
  facts.add("position", letter.source_position);
  if (letter.seq) facts.add("seq", std::to_string(*letter.seq));
  if (letter.job) facts.add("replay job", std::to_string(*letter.job));
  if (letter.replaces) facts.add("replaces", "letter " + std::to_string(*letter.replaces));
  if (history.replaced_by)
    facts.add("replaced by", "letter " + std::to_string(*history.replaced_by));
  if (history.lane) facts.add("its key", text_of(*history.lane));
  if (letter.content) {
    facts.add("headers", letter.content->headers);
    if (const auto& fault = letter.content->headers_fault) facts.add("headers fault", *fault);
    write_payload(*letter.content, terminal);
  }
  for (const core::LetterAct& act : history.acts) {
    terminal.out << "  " << act.at << "  " << one_line(text_of(act)) << '\n';
  }
}

}  // namespace

ExitCode show_letter(const LetterWork& work) {
  core::LetterQuery query;
  query.filter = work.letters().filter;
  query.parts = work.letters().payload ? core::LetterParts::payload : core::LetterParts::content;
  query.limit = kShownMost;
  JsonListing listing(work);
  uint64_t shown = 0;
  ExitCode exit = ExitCode::ok;
  const auto show = [&](const LetterDesk& desk) -> core::Result<void> {
    const auto letters = desk.calls.page(query);
    if (!letters) return letters.error();
    for (const core::Letter& letter : *letters) {
      const auto history = desk.calls.history(letter);
      if (!history) return history.error();
      if (!listing.add(json_of(letter, *history))) {
        work.terminal.out << (shown == 0 ? "" : "\n");
        write_text(letter, *history, work.terminal);
      }
      ++shown;
    }
    return {};
  };
  for (const LetterDesk& desk : work.desks) {
    if (const auto done = show(desk); !done) exit = work.report(done.error());
  }
  listing.end();
  if (exit == ExitCode::ok && shown == 0) {
    return work.nothing("there is no such letter. Look: " + work.command("list"));
  }
  return exit;
}

}  // namespace outbox::app
