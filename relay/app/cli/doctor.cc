#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/app/cli/commands.h"

namespace outbox::app {
namespace {

struct Examined {
  std::string subject;
  Finding finding;
};

Shade shade_of(FindingLevel level) {
  switch (level) {
    case FindingLevel::ok:
      return Shade::good;
    case FindingLevel::warn:
      return Shade::warning;
    case FindingLevel::error:
    case FindingLevel::unreachable:
      return Shade::bad;
  }
  return Shade::plain;
}

std::string indented(const std::string& text) {
  std::string out = "        ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "        ";
  }
  return out;
}

std::string as_json(const Examined& one) {
  const nlohmann::ordered_json json = {{"level", to_string(one.finding.level)},
                                       {"subject", one.subject},
                                       {"what", one.finding.what},
                                       {"fix", one.finding.fix}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_text(const Examined& one, const Terminal& terminal) {
  const std::string level = to_string(one.finding.level);
  const std::string padding(level.size() < 6 ? 6 - level.size() : 0, ' ');
  terminal.out << terminal.shaded(shade_of(one.finding.level), level) << padding << "  "
               << one.subject << ": " << one.finding.what << '\n';
  if (!one.finding.fix.empty()) terminal.out << indented(one.finding.fix) << '\n';
  terminal.out.flush();  // a look at an unreachable server takes seconds
}

void write_all(const std::vector<Examined>& all, const Terminal& terminal) {
  terminal.out << '[';
  for (size_t i = 0; i < all.size(); ++i) terminal.out << (i > 0 ? "," : "") << as_json(all[i]);
  terminal.out << "]\n";
}

ExitCode verdict(const std::vector<Examined>& all) {
  ExitCode exit = ExitCode::ok;
  for (const Examined& one : all) {
    if (one.finding.level == FindingLevel::unreachable) return ExitCode::unreachable;
    if (one.finding.level == FindingLevel::error) exit = ExitCode::failed;
  }
  return exit;
}

}  // namespace

const char* to_string(FindingLevel level) {
  switch (level) {
    case FindingLevel::ok:
      return "ok";
    case FindingLevel::warn:
      return "warn";
    case FindingLevel::error:
      return "error";
    case FindingLevel::unreachable:
      return "unreachable";
  }
  return "?";
}

ExitCode doctor_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;
  std::vector<Examined> all;
  for (const DoctorCheck& check : wired.doctor_checks(*config)) {
    for (Finding& finding : check.look()) {
      all.push_back({check.subject, std::move(finding)});
      if (line.output == OutputFormat::text) write_text(all.back(), terminal);
      if (line.output == OutputFormat::jsonl) terminal.out << as_json(all.back()) << '\n';
    }
  }
  if (line.output == OutputFormat::json) write_all(all, terminal);
  return verdict(all);
}

}  // namespace outbox::app
