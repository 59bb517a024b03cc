#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "relay/app/cli/commands.h"
#include "relay/app/cli/progress_bar.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

using Json = nlohmann::ordered_json;
using verify::Anomaly;
using verify::Summary;

/// A listing for people names so many of each kind; the counts name all.
constexpr uint64_t kNamedMost = 1000;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json as_json(const verify::Finding& finding) {
  Json json = {{"finding", to_string(finding.anomaly)},
               {"jepsen", finding.jepsen.empty() ? Json() : Json(finding.jepsen)},
               {"id", finding.id.empty() ? Json() : Json(finding.id)},
               {"seq", finding.seq ? Json(*finding.seq) : Json()},
               {"topic", finding.topic.empty() ? Json() : Json(finding.topic)},
               {"partition", finding.record ? Json(finding.record->partition) : Json()},
               {"offset", finding.record ? Json(finding.record->offset) : Json()},
               {"detail", finding.detail}};
  return json;
}

Json as_json(const std::string& pipeline, const VerifyOutcome& outcome) {
  const Summary& sum = outcome.summary;
  return {{"pipeline", pipeline},
          {"ok", sum.clean()},
          {"from_seq", sum.from_seq},
          {"settled_seq", sum.settled_seq},
          {"rows", sum.rows},
          {"records", sum.records},
          {"delivered", sum.delivered},
          {"dead_letters", sum.dead_letters},
          {"skipped", sum.skipped},
          {"unseen", sum.unseen},
          {"lost", sum.lost},
          {"altered", sum.altered},
          {"out_of_order", sum.out_of_order},
          {"foreign", sum.foreign},
          {"duplicates", sum.duplicates},
          {"not_provable",
           {{"log_removed", sum.log_removed},
            {"compacted", sum.compacted},
            {"before_slot", sum.before_slot}}},
          {"records_without_a_row",
           {{"before_range", sum.before_range}, {"rowless", sum.rowless}, {"edited", sum.edited}}},
          {"rows_of_the_same_id", sum.same_id},
          {"topics", outcome.topics},
          {"notes", outcome.notes}};
}

/// Writes findings as they come, in one of the three forms, and the summary behind them.
class Listing {
 public:
  Listing(const Terminal& terminal, OutputFormat format) : terminal_(terminal), format_(format) {}

  void add(const verify::Finding& finding) {
    ++count_;
    if (format_ == OutputFormat::jsonl) {
      terminal_.out << dumped(as_json(finding)) << '\n';
    } else if (format_ == OutputFormat::json) {
      terminal_.out << (count_ == 1 ? "{\"findings\":[" : ",") << dumped(as_json(finding));
    } else if (++named_[static_cast<size_t>(finding.anomaly)] <= kNamedMost) {
      write_text(finding);
    }
  }

  void end(const std::string& pipeline, const VerifyOutcome& outcome) {
    if (format_ == OutputFormat::text) {
      write_text(pipeline, outcome);
      return;
    }
    const std::string summary = dumped(as_json(pipeline, outcome));
    if (format_ == OutputFormat::jsonl) {
      terminal_.out << "{\"summary\":" << summary << "}\n";
    } else {
      terminal_.out << (count_ == 0 ? "{\"findings\":[" : "") << "],\"summary\":" << summary
                    << "}\n";
    }
  }

 private:
  void write_text(const verify::Finding& finding) {
    const Shade shade = finding.anomaly == Anomaly::duplicate ? Shade::warning : Shade::bad;
    std::string name = to_string(finding.anomaly);
    terminal_.out << terminal_.shaded(shade, name) << std::string(14 - name.size(), ' ')
                  << (finding.id.empty() ? "(no id)" : finding.id);
    if (finding.seq) terminal_.out << "  seq " << *finding.seq;
    if (!finding.topic.empty()) terminal_.out << "  " << finding.topic;
    if (finding.record) {
      terminal_.out << " partition " << finding.record->partition << " offset "
                    << finding.record->offset;
    }
    terminal_.out << "  " << finding.detail;
    if (!finding.jepsen.empty()) terminal_.out << " [" << finding.jepsen << ']';
    terminal_.out << '\n';
  }

  void write_count(const char* what, uint64_t count, const char* meaning, Shade shade) {
    const std::string number = readable_count(count);
    terminal_.out << "  " << terminal_.shaded(count == 0 ? Shade::plain : shade, what)
                  << std::string(14 - std::string_view(what).size(), ' ')
                  << std::string(number.size() < 12 ? 12 - number.size() : 0, ' ') << number << "  "
                  << meaning << '\n';
  }
  void write_if_any(const char* what, uint64_t count, const char* meaning) {
    if (count > 0) write_count(what, count, meaning, Shade::warning);
  }

  void write_text(const std::string& pipeline, const VerifyOutcome& outcome) {
    const Summary& sum = outcome.summary;
    for (size_t kind = 0; kind < named_.size(); ++kind) {
      if (named_[kind] <= kNamedMost) continue;
      terminal_.out << "and " << readable_count(named_[kind] - kNamedMost) << " more "
                    << to_string(static_cast<Anomaly>(kind)) << "; -o jsonl names all\n";
    }
    terminal_.out << "pipeline " << pipeline << ": " << readable_count(sum.rows) << " rows, seq "
                  << sum.from_seq << " to " << sum.settled_seq << ", against "
                  << readable_count(sum.records) << " records\n";
    write_count("delivered", sum.delivered, "rows with their record, byte for byte but for altered",
                Shade::plain);
    write_count("dead letters", sum.dead_letters,
                "rows with a dead letter, held, parked or discarded ones too", Shade::warning);
    write_if_any("skipped", sum.skipped, "rows without a record, on routes that skip");
    write_if_any("unseen", sum.unseen, "rows that are not proven to be settled yet");
    write_count("lost", sum.lost, "rows without a record or a dead letter", Shade::bad);
    write_count("altered", sum.altered, "records that differ from their row", Shade::bad);
    write_count("out of order", sum.out_of_order, "records behind a later one of their key",
                Shade::bad);
    write_count("foreign", sum.foreign, "records that are of no row", Shade::bad);
    write_count("duplicates", sum.duplicates, "repeated records: allowed, at least once",
                Shade::warning);
    write_if_any("log removed", sum.log_removed, "rows whose record Kafka may have removed");
    write_if_any("compacted", sum.compacted, "rows whose record a later one may have replaced");
    write_if_any("before slot", sum.before_slot, "rows older than all that was delivered");
    write_if_any("before range", sum.before_range, "records of rows that are gone or not compared");
    write_if_any("rowless", sum.rowless, "records of outbox.emit() or captured tables");
    write_if_any("edited", sum.edited, "records of dead letters that an operator edited");
    write_if_any("same id", sum.same_id, "rows that repeat another row's id");
    for (const std::string& note : outcome.notes) terminal_.out << "  " << note << '\n';
    terminal_.out << (sum.clean() ? terminal_.shaded(Shade::good, "ok") + ": nothing is lost"
                                  : terminal_.shaded(Shade::bad, "failed"))
                  << '\n';
  }

  const Terminal& terminal_;
  OutputFormat format_;
  uint64_t count_ = 0;
  std::array<uint64_t, 5> named_{};
};

const char* text_of(VerifyStep::Phase phase) {
  switch (phase) {
    case VerifyStep::Phase::rows:
      return "reading rows";
    case VerifyStep::Phase::records:
      return "reading records";
    case VerifyStep::Phase::comparing:
      return "comparing";
  }
  return "";
}

/// Large files are no good in a /tmp that is memory.
std::string temporary_folder() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

const PipelineConfig* find_pipeline(const Config& config, const CommandLine& line,
                                    const Terminal& terminal) {
  std::string names;
  for (const PipelineConfig& pipeline : config.pipelines) {
    if (pipeline.name == line.pipeline) return &pipeline;
    names += (names.empty() ? "" : ", ") + pipeline.name;
  }
  if (line.pipeline.empty() && config.pipelines.size() == 1) return &config.pipelines.front();
  terminal.error << "outbox verify: "
                 << (line.pipeline.empty()
                         ? "which pipeline? --pipeline is one of: "
                         : "no pipeline \"" + line.pipeline + "\" in " + config.file + ", only: ")
                 << names << '\n';
  return nullptr;
}

ExitCode exit_of(const core::Error& error) {
  if (error.code == kNothingToCompare) return ExitCode::nothing_matched;
  if (error.code == kCannotCompare) return ExitCode::refused;
  return error.fault == core::Fault::retry ? ExitCode::unreachable : ExitCode::failed;
}

}  // namespace

ExitCode verify_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;
  const PipelineConfig* pipeline = find_pipeline(*config, line, terminal);
  if (pipeline == nullptr) return ExitCode::usage;
  ProgressBar bar(terminal);
  Listing listing(terminal, line.output);
  const auto progress = [&bar](const VerifyStep& step) {
    bar.show(text_of(step.phase), step.done, step.total);
  };
  const auto tell = [&](const verify::Finding& finding) {
    bar.clear();
    listing.add(finding);
  };
  const auto outcome = wired.verify(
      VerifyInputs{*config, *pipeline, line.since, temporary_folder(), progress, tell});
  bar.clear();
  if (!outcome) {
    terminal.error << "outbox verify: " << to_string(outcome.error()) << ".\n";
    return exit_of(outcome.error());
  }
  listing.end(pipeline->name, *outcome);
  return outcome->summary.clean() ? ExitCode::ok : ExitCode::failed;
}

}  // namespace outbox::app
