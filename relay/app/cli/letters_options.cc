#include "relay/app/cli/letters_options.h"

#include <charconv>
#include <string_view>

#include "relay/app/cli/command_options.h"

namespace outbox::app {
namespace {

using States = std::vector<std::string>;

const Choices<States> kStates = {{"open", core::kOpenStates},  {"dead", {"dead"}},
                                 {"held", {"held"}},           {"parked", {"parked"}},
                                 {"delivered", {"delivered"}}, {"replaced", {"replaced"}},
                                 {"discarded", {"discarded"}}, {"any", {}}};

constexpr uint32_t kRateMost = 1'000'000;
constexpr size_t kReasonMost = 2000;  // bytes, as the table takes it

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr uint64_t kMost = INT64_MAX;
  if (fault != std::errc() || end != text.data() + text.size() || number < 1 || number > kMost) {
    return std::nullopt;
  }
  return number;
}

/// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text) {
  constexpr std::string_view kPattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != kPattern.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = std::string_view("0123456789abcdefABCDEF").find(text[i]) != text.npos;
    if (kPattern[i] == '-' ? text[i] != '-' : !digit) return false;
  }
  return true;
}

std::string check_number(const std::string& text) {
  return number_of(text) ? "" : "takes a number from 1 on, not \"" + text + '"';
}

std::string check_id(const std::string& text) {
  return is_uuid(text) ? "" : "takes the id of an event, a uuid, not \"" + text + '"';
}

std::string check_either(const std::string& text) {
  return number_of(text) || is_uuid(text)
             ? ""
             : "takes a letter's number or the id of an event, a uuid, not \"" + text + '"';
}

template <typename Number>
CLI::Option* add_number(CLI::App& app, const std::string& name, const std::string& help,
                        std::optional<Number>& into) {
  const auto take = [&into](const std::string& text) {
    into = static_cast<Number>(*number_of(text));
  };
  return app.add_option_function<std::string>(name, take, help)
      ->option_text("N")
      ->check(check_number);
}

void add_text(CLI::App& app, const std::string& name, const std::string& help,
              std::optional<std::string>& into) {
  const auto take = [&into](const std::string& text) { into = text; };
  app.add_option_function<std::string>(name, take, help)->option_text("TEXT");
}

void add_pipeline(CLI::App& app, CommandLine& line) {
  app.add_option("-p,--pipeline", line.pipeline, "of which pipeline of the config")
      ->option_text("NAME");
}

void add_number_and_id(CLI::App& app, core::LetterFilter& filter) {
  const auto take_id = [&filter](const std::string& text) { filter.id = text; };
  app.add_option_function<std::string>("--id", take_id, "of the event with this id")
      ->option_text("UUID")
      ->check(check_id);
  add_number(app, "--letter", "with this number", filter.letter);
}

void add_filter(CLI::App& app, CommandLine& line) {
  core::LetterFilter& filter = line.letters.filter;
  add_pipeline(app, line);
  add_text(app, "--key", "of this key (aggregate id)", filter.key);
  add_text(app, "--type", "of this event type", filter.type);
  add_text(app, "--aggregate", "of this aggregate type", filter.aggregate);
  add_text(app, "--topic", "that were for this topic", filter.topic);
  add_text(app, "--cause", "last refused with this code", filter.cause);
  add_time(app, "--since", "dead letters from then on",
           [&filter](const Since& since) { filter.since = since; });
  add_time(app, "--until", "dead letters of before then",
           [&filter](const Since& until) { filter.until = until; });
  add_number_and_id(app, filter);
}

}  // namespace

void add_reason(CLI::App& app, LettersLine& letters) {
  const auto check = [](const std::string& text) {
    return text.empty() || text.size() > kReasonMost ? std::string("takes 1 to 2000 bytes of text")
                                                     : std::string();
  };
  app.add_option("--reason", letters.reason, "why; kept in the audit")
      ->option_text("TEXT")
      ->check(check);
}

namespace {

void add_states(CLI::App& app, LettersLine& letters) {
  add_choice(app, "--state", "in this state (default open: dead, held and parked)", letters.states,
             kStates);
}

[[noreturn]] void refuse(const std::string& what) { throw CLI::ValidationError(what); }

// A letter that was named is shown in whatever state it is.
void settle_states(const CLI::App& app, LettersLine& letters) {
  letters.states_given = app.count("--state") > 0;
  if (!letters.states_given && (letters.filter.id || letters.filter.letter)) letters.states.clear();
}

void add_list(CLI::App& app, CommandLine& line) {
  CLI::App* list = add_verb(app, "list", "dead letters by cause; with a filter or --all, each",
                            Verb::letters_list, line);
  add_config(*list, line, true);
  add_filter(*list, line);
  add_states(*list, line.letters);
  list->add_flag("--all", line.letters.all, "each letter, without a filter");
  const auto take = [&line](const std::string& text) { line.letters.limit = *number_of(text); };
  list->add_option_function<std::string>("--limit", take, "at most so many (default 100)")
      ->option_text("N")
      ->check(check_number);
  list->add_flag("--payload", line.letters.payload, "with headers and payload");
  add_output(*list, line);
  list->callback([list, &line] {
    line.verb = Verb::letters_list;
    settle_states(*list, line.letters);
  });
}

void add_show(CLI::App& app, CommandLine& line) {
  CLI::App* show = add_verb(app, "show", "everything of one letter", Verb::letters_show, line);
  const auto take = [&line](const std::string& text) {
    core::LetterFilter& filter = line.letters.filter;
    filter.letter = number_of(text);
    if (!filter.letter) filter.id = text;
  };
  show->add_option_function<std::string>("which", take, "a letter's number or an event's id")
      ->option_text("LETTER|EVENT-ID")
      ->check(check_either);
  add_config(*show, line, true);
  add_pipeline(*show, line);
  add_number_and_id(*show, line.letters.filter);
  show->add_flag("--payload", line.letters.payload, "with its payload");
  add_output(*show, line);
  show->callback([&line] {
    line.verb = Verb::letters_show;
    line.letters.states.clear();
    const core::LetterFilter& filter = line.letters.filter;
    if (!filter.letter && !filter.id) refuse("which one? Give a letter's number or an event's id");
  });
}

void settle_replay(CommandLine& line) {
  const LettersLine& letters = line.letters;
  line.verb = Verb::letters_replay;
  const bool edits = !letters.payload_file.empty() || !letters.headers_file.empty();
  if (letters.job) {
    if (!letters.filter.empty() || letters.dry_run || letters.rate || letters.failures_max ||
        letters.force || edits) {
      refuse(
          "--job goes on with a job as it was filed: no filter, --dry-run, --rate, "
          "--max-failures, --force or --edit beside it");
    }
    return;
  }
  if (edits && !letters.filter.letter && !letters.filter.id) {
    refuse("--edit and --headers are for one letter: name it with --letter or --id");
  }
  if (letters.reason.empty() && !letters.dry_run) refuse("--reason is required");
}

void add_replay(CLI::App& app, CommandLine& line) {
  CLI::App* replay =
      add_verb(app, "replay", "deliver dead letters again, in the order of their keys",
               Verb::letters_replay, line);
  LettersLine& letters = line.letters;
  add_config(*replay, line, true);
  add_filter(*replay, line);
  add_reason(*replay, letters);
  replay->add_flag("--dry-run", letters.dry_run, "count only");
  add_number(*replay, "--rate", "letters a second", letters.rate)->check(CLI::Range(1u, kRateMost));
  add_number(*replay, "--max-failures", "stop after so many refusals", letters.failures_max)
      ->check(CLI::Range(1u, kRateMost));
  replay->add_flag("--detach", letters.detach, "print the job and leave it to the relay");
  replay->add_flag("--force", letters.force,
                   "take letters, too, that were replayed as often as their route allows");
  add_number(*replay, "--job", "follow this job; resumes it if it is paused", letters.job);
  replay->add_option("--edit", letters.payload_file, "put this file in place of the payload first")
      ->option_text("FILE");
  replay->add_option("--headers", letters.headers_file, "the same for the headers, a JSON object")
      ->option_text("FILE");
  add_output(*replay, line);
  replay->footer(
      "The relay of the pipeline does it; this command files the job and follows it. Ctrl-C "
      "pauses\n"
      "the job. Exit codes: 0 all were delivered; 3 nothing matched; 4 refused; 6 some were "
      "refused\n"
      "again, or the job is paused, stopped or waits for a second person.");
  replay->callback([&line] { settle_replay(line); });
}

void add_discard(CLI::App& app, CommandLine& line) {
  CLI::App* discard =
      add_verb(app, "discard", "give dead letters up; later ones of their key go on",
               Verb::letters_discard, line);
  add_config(*discard, line, true);
  add_filter(*discard, line);
  add_reason(*discard, line.letters);
  discard->add_flag("--all", line.letters.all, "all of the pipeline");
  discard->add_flag("--dry-run", line.letters.dry_run, "count only");
  add_output(*discard, line);
  discard->callback([&line] {
    const LettersLine& letters = line.letters;
    line.verb = Verb::letters_discard;
    if (letters.filter.empty() && !letters.all) refuse("name a filter, or --all");
    if (letters.reason.empty() && !letters.dry_run) refuse("--reason is required");
  });
}

void add_export(CLI::App& app, CommandLine& line) {
  CLI::App* out = add_verb(app, "export", "letters with their payloads to stdout, one JSON a line",
                           Verb::letters_export, line);
  add_config(*out, line, true);
  add_filter(*out, line);
  add_states(*out, line.letters);
  out->callback([out, &line] {
    line.verb = Verb::letters_export;
    settle_states(*out, line.letters);
  });
}

void add_jobs(CLI::App& app, CommandLine& line) {
  CLI::App* jobs =
      add_verb(app, "jobs", "the replays that were asked for", Verb::letters_jobs, line);
  add_config(*jobs, line, true);
  add_pipeline(*jobs, line);
  const auto add_act = [&](const std::string& name, const std::string& help, core::ReplayAct act) {
    const auto take = [&line, act](const std::string& text) {
      if (line.letters.act) refuse("one of --approve, --pause, --resume and --end at a time");
      line.letters.job = number_of(text);
      line.letters.act = act;
    };
    jobs->add_option_function<std::string>(name, take, help)->option_text("N")->check(check_number);
  };
  add_act("--approve", "approve this job, as somebody else than who asked for it",
          core::ReplayAct::approve);
  add_act("--pause", "pause this job", core::ReplayAct::pause);
  add_act("--resume", "go on with this job", core::ReplayAct::resume);
  add_act("--end", "end this job; what is left of it stays", core::ReplayAct::end);
  add_reason(*jobs, line.letters);
  add_output(*jobs, line);
  jobs->callback([&line] {
    line.verb = Verb::letters_jobs;
    if (line.letters.act && line.letters.reason.empty()) refuse("--reason is required");
  });
}

}  // namespace

void add_dead_letters(CLI::App& app, CommandLine& line) {
  CLI::App* letters =
      app.add_subcommand("dead-letters", "what could not be delivered: look, replay, discard");
  letters->require_subcommand(1);
  add_list(*letters, line);
  add_show(*letters, line);
  add_replay(*letters, line);
  add_discard(*letters, line);
  add_export(*letters, line);
  add_jobs(*letters, line);
}

}  // namespace outbox::app
