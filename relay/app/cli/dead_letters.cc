#include "relay/app/cli/dead_letters.h"

#include <ostream>
#include <utility>

#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

ExitCode exit_of(const core::Error& error) {
  const auto one_of = [&error](std::initializer_list<std::string_view> codes) {
    for (const std::string_view code : codes) {
      if (error.code == code) return true;
    }
    return false;
  };
  if (error.code == "URL_MALFORMED" || error.code.starts_with("22")) return ExitCode::usage;
  if (error.code == "P0002") return ExitCode::nothing_matched;
  if (one_of({"42501", "55000", "55P03"})) return ExitCode::refused;
  if (error.fault == core::Fault::fatal || error.fault == core::Fault::reject) {
    return ExitCode::failed;
  }
  return ExitCode::unreachable;
}

// A letter is for one pipeline, and so is what is done with it.
bool for_one_pipeline(const CommandLine& line) {
  if (line.verb == Verb::letters_replay) return !line.letters.job;
  return line.verb == Verb::letters_discard;
}

void refuse_pipeline(const CommandLine& line, const Config& config, const Terminal& terminal) {
  std::string names;
  for (const PipelineConfig& one : config.pipelines) {
    names += (names.empty() ? "" : ", ") + one.name;
  }
  terminal.error << "outbox dead-letters: "
                 << (line.pipeline.empty()
                         ? "which pipeline? --pipeline is one of: "
                         : "no pipeline \"" + line.pipeline + "\" in " + config.file + ", only: ")
                 << names << '\n';
}

ExitCode run(const LetterWork& work) {
  switch (work.line.verb) {
    case Verb::letters_list:
      return list_letters(work);
    case Verb::letters_show:
      return show_letter(work);
    case Verb::letters_export:
      return export_letters(work);
    case Verb::letters_replay:
      return replay_letters(work);
    case Verb::letters_discard:
      return discard_letters(work);
    default:
      return list_jobs(work);
  }
}

}  // namespace

std::string LetterWork::command(const std::string& words) const {
  return "outbox dead-letters " + words + " --config " + line.config_file;
}

void LetterWork::tell(const std::string& text) const {
  terminal.error << speaker << ": " << text << '\n';
}

ExitCode LetterWork::report(const core::Error& error) const {
  tell(to_string(error) + ".");
  if (error.fault == core::Fault::unknown) {
    tell("Whether it happened is not known. Look: " + command("jobs") + " and: " + command("list"));
  }
  return exit_of(error);
}

ExitCode LetterWork::nothing(const std::string& text) const {
  tell(text);
  return ExitCode::nothing_matched;
}

bool JsonListing::add(const std::string& json) {
  if (format_ == OutputFormat::text) return false;
  if (format_ == OutputFormat::json) terminal_.out << (begun_ ? "," : "[");
  begun_ = true;
  terminal_.out << json;
  if (format_ == OutputFormat::jsonl) terminal_.out << '\n';
  return true;
}

void JsonListing::end() {
  if (format_ == OutputFormat::json) terminal_.out << (begun_ ? "]\n" : "[]\n");
}

Shade shade_of_state(const std::string& state) {
  if (state == "delivered" || state == "done") return Shade::good;
  if (state == "replaced" || state == "discarded") return Shade::plain;
  return state == "dead" || state == "stopped" ? Shade::bad : Shade::warning;
}

std::string letters_text(uint64_t count) {
  return readable_count(count) + (count == 1 ? " letter" : " letters");
}

ExitCode letters_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;
  LetterWork work{line, terminal, {}, "outbox dead-letters"};
  bool known = line.pipeline.empty();
  for (const PipelineConfig& pipeline : config->pipelines) {
    if (!line.pipeline.empty() && pipeline.name != line.pipeline) continue;
    known = true;
    if (config->source_of(pipeline).mode == SourceMode::status) {
      work.tell("pipeline " + pipeline.name +
                " is polled by status: its table itself says FAIL where others have dead letters. "
                "Set such a row to READY and it is sent again.");
      continue;
    }
    work.desks.push_back({pipeline.name, wired.letters(*config, pipeline)});
  }
  if (!known || (for_one_pipeline(line) && work.desks.size() > 1)) {
    refuse_pipeline(line, *config, terminal);
    return ExitCode::usage;
  }
  return work.desks.empty() ? ExitCode::refused : run(work);
}

}  // namespace outbox::app
