#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/app/admin/client.h"
#include "relay/app/cli/commands.h"
#include "relay/app/cli/pause.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;

const Row kHeadings = {"PIPELINE", "STATE",   "LAG",          "EVENTS BEHIND", "WAL BEHIND",
                       "EVENTS/S", "DRAINED", "DEAD LETTERS", "REASON"};

std::optional<uint64_t> whole(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  return static_cast<uint64_t>(std::llround(std::max(value.get<double>(), 0.0)));
}

std::optional<double> real(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

/// A reason may quote what a server said; a line stays a line.
std::string one_line(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  return text;
}

/// Why it is not ok; else what was refused last, if anything is dead.
std::string reason_of(const Json& pipeline) {
  const std::string reason = pipeline.at("reason").get<std::string>();
  const Json& refusal = pipeline.at("newest_refusal");
  if (!reason.empty() || refusal.is_null()) return one_line(reason);
  return one_line("newest dead letter: " + refusal.at("code").get<std::string>() + ", " +
                  refusal.at("detail").get<std::string>());
}

/// Since the relay started, those that were held or parked among them.
uint64_t letters_of(const Json& totals) {
  return totals.at("dead_lettered").get<uint64_t>() + totals.at("held").get<uint64_t>() +
         totals.at("parked").get<uint64_t>();
}

Row row_of(const Json& pipeline) {
  const Json& lag = pipeline.at("lag");
  const Json& trend = pipeline.at("trend");
  return {one_line(pipeline.at("name").get<std::string>()),
          pipeline.at("state").get<std::string>(),
          readable_seconds(real(lag.at("seconds"))),
          readable_count(whole(lag.at("events"))),
          readable_bytes(whole(lag.at("wal_bytes"))),
          readable_count(whole(trend.at("events_per_second"))),
          trend.at("growing").get<bool>() ? "growing"
                                          : readable_seconds(real(trend.at("drain_seconds"))),
          readable_count(letters_of(pipeline.at("totals"))),
          reason_of(pipeline)};
}

Shade shade_of(const std::string& state) {
  if (state == "ok") return Shade::good;
  return state == "stopped" ? Shade::bad : Shade::warning;
}

void write_row(const Row& row, const Row& widest, bool heading, const Terminal& terminal) {
  for (size_t i = 0; i < kColumns; ++i) {
    const bool last = i + 1 == kColumns;
    const std::string padding(last ? 0 : widest[i].size() - row[i].size() + 2, ' ');
    const bool state = i == 1 && !heading;
    terminal.out << (state ? terminal.shaded(shade_of(row[i]), row[i]) : row[i]) << padding;
  }
  terminal.out << '\n';
}

void write_table(const Json& status, const Terminal& terminal) {
  std::vector<Row> rows;
  for (const Json& pipeline : status.at("pipelines")) rows.push_back(row_of(pipeline));
  Row widest = kHeadings;
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) {
      if (row[i].size() > widest[i].size()) widest[i] = row[i];
    }
  }
  write_row(kHeadings, widest, true, terminal);
  for (const Row& row : rows) write_row(row, widest, false, terminal);
}

void write_status(const Json& status, OutputFormat format, const Terminal& terminal) {
  if (format == OutputFormat::text) {
    write_table(status, terminal);
  } else if (format == OutputFormat::json) {
    terminal.out << status.dump() << '\n';
  } else {
    for (const Json& pipeline : status.at("pipelines")) terminal.out << pipeline.dump() << '\n';
  }
  terminal.out.flush();
}

ExitCode show_once(const Config& config, const CommandLine& line, const Terminal& terminal) {
  const auto answer = fetch_admin(config.admin, "/status");
  if (!answer) {
    terminal.error << "outbox status: " << to_string(answer.error()) << ".\n";
    return answer.error().code == "UNREACHABLE" ? ExitCode::unreachable : ExitCode::failed;
  }
  try {
    const Json status = Json::parse(*answer);
    if (line.watch && terminal.out_is_terminal && line.output == OutputFormat::text) {
      terminal.out << "\x1b[H\x1b[2J";
    }
    write_status(status, line.output, terminal);
  } catch (const nlohmann::json::exception&) {
    terminal.error << "outbox status: what answers at [admin] listen is no relay of this release. "
                      "Compare: outbox --version, and \"version\" in /status.\n";
    return ExitCode::failed;
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode status_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;
  ExitCode exit = show_once(*config, line, terminal);
  while (line.watch && terminal.out && pause_for(std::chrono::seconds(1))) {
    exit = show_once(*config, line, terminal);
  }
  return exit;
}

}  // namespace outbox::app
