#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>

#include "outbox-schema/migrate.h"
#include "outbox-schema/partitions.h"
#include "outbox-schema/target.h"
#include "relay/app/cli/commands.h"

namespace outbox::app {
namespace {

using schema::Migration;
using schema::MigrationStatus;

ExitCode report(const core::Error& error, const Terminal& terminal) {
  terminal.error << "outbox schema: " << to_string(error) << (error.hint.empty() ? "\n" : ".\n");
  if (error.code == "UNREACHABLE") return ExitCode::unreachable;
  if (error.code == "URL_INVALID") return ExitCode::usage;
  return error.fault == core::Fault::reject ? ExitCode::refused : ExitCode::failed;
}

void refuse(const std::string& what, const Terminal& terminal) {
  terminal.error << "outbox schema: " << what << '\n';
}

/// The URL of the config's source; nothing after an error was written.
std::optional<Secret> url_of_config(const CommandLine& line, const Wired& wired,
                                    const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return std::nullopt;
  if (line.source.empty() && config->sources.size() > 1) {
    refuse(line.config_file + " has several sources. Name one: --source NAME.", terminal);
    return std::nullopt;
  }
  for (const SourceConfig& source : config->sources) {
    if (line.source.empty() || source.name == line.source) return source.url;
  }
  refuse(line.config_file + " has no source \"" + line.source + "\".", terminal);
  return std::nullopt;
}

/// Flag before environment before file.
std::optional<Secret> chosen_url(const CommandLine& line, const Wired& wired,
                                 const Terminal& terminal) {
  if (!line.database.empty()) return Secret(line.database);
  const char* from_environment = std::getenv("DATABASE_URL");
  if (from_environment != nullptr && *from_environment != '\0') return Secret(from_environment);
  if (!line.config_file.empty()) return url_of_config(line, wired, terminal);
  refuse("which database? Set DATABASE_URL, or give --config FILE or --database URL.", terminal);
  return std::nullopt;
}

/// Says which database it is about to be; a person may have meant another one.
std::optional<ExitCode> announce(const CommandLine& line, const Secret& url,
                                 const Terminal& terminal) {
  const auto target = schema::describe_target(url.reveal());
  if (!target) return report(target.error(), terminal);
  if (!line.database.empty() && !target->password.empty()) {
    terminal.error << "outbox schema: warning: there is a password in the arguments, where every "
                      "user of this machine can read it. Use DATABASE_URL instead.\n";
  }
  terminal.error << "outbox schema: " << target->shown << '\n';
  return std::nullopt;
}

nlohmann::ordered_json null_when_empty(const std::string& text) {
  if (text.empty()) return nullptr;
  return text;
}

nlohmann::ordered_json as_json(const MigrationStatus& one) {
  return {{"version", one.version},
          {"name", one.name},
          {"state", to_string(one.state)},
          {"checksum", one.checksum},
          {"applied_at", null_when_empty(one.applied_at)},
          {"applied_by", null_when_empty(one.applied_by)}};
}

void list(const std::vector<MigrationStatus>& migrations, OutputFormat format,
          const Terminal& terminal) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const MigrationStatus& one : migrations) {
    if (format == OutputFormat::jsonl) terminal.out << as_json(one).dump() << '\n';
    if (format == OutputFormat::json) all.push_back(as_json(one));
    if (format != OutputFormat::text) continue;
    const Shade shade = one.state == schema::State::applied   ? Shade::good
                        : one.state == schema::State::pending ? Shade::warning
                                                              : Shade::bad;
    terminal.out << 'V' << one.version << "  " << one.name << "  "
                 << terminal.shaded(shade, to_string(one.state));
    if (!one.applied_at.empty()) {
      terminal.out << "  " << one.applied_at << " by " << one.applied_by;
    }
    terminal.out << '\n';
  }
  if (format == OutputFormat::json) terminal.out << all.dump() << '\n';
}

/// A role that may see the migrations need not see the partitions; nothing is said then.
void tell_partitions(const Secret& url, const Terminal& terminal) {
  const auto partitions = schema::partition_status(url.reveal());
  if (!partitions || !partitions->known) return;
  terminal.error << "outbox schema: partitions for " << partitions->numbers_left << " more events";
  if (partitions->removed_below > 1) {
    terminal.error << "; retention removed what is below seq " << partitions->removed_below;
  }
  if (partitions->emptied > 0) {
    terminal.error << "; " << partitions->emptied
                   << " emptied ones go with \"outbox schema apply\"";
  }
  terminal.error << '\n';
}

ExitCode show(const CommandLine& line, const Secret& url, const Terminal& terminal) {
  auto found = schema::status(url.reveal());
  if (!found) return report(found.error(), terminal);
  if (line.verb == Verb::schema_status) {
    list(*found, line.output, terminal);
    tell_partitions(url, terminal);
    return ExitCode::ok;
  }
  if (const auto may = schema::appliable(*found); !may) return report(may.error(), terminal);
  std::erase_if(*found,
                [](const MigrationStatus& one) { return one.state != schema::State::pending; });
  list(*found, line.output, terminal);
  terminal.error << (found->empty()
                         ? "outbox schema: nothing to do, the schema is up to date\n"
                         : "outbox schema: apply would run these; nothing was touched\n");
  return ExitCode::ok;
}

void tell_upkeep(const schema::Upkeep& upkeep, const Terminal& terminal) {
  if (upkeep.made > 0) {
    terminal.error << "outbox schema: made " << upkeep.made << " partitions ahead\n";
  }
  for (const std::string& name : upkeep.dropped) {
    terminal.error << "outbox schema: dropped " << name << ", which retention had emptied\n";
  }
  if (!upkeep.waits.empty()) {
    terminal.error << "outbox schema: partitions are left as they are for now: " << upkeep.waits
                   << ". Run this again later; nobody waits for it\n";
  }
}

ExitCode apply(const CommandLine& line, const Secret& url, const Terminal& terminal) {
  schema::ApplyOptions options;
  options.lock_timeout = std::chrono::milliseconds(line.lock_timeout_ms);
  options.warn = [&](const std::string& text) { terminal.error << text << '\n'; };
  options.begin = [&](const Migration& migration) {
    terminal.error << "outbox schema: applying " << migration.file << '\n';
  };
  const auto ran = schema::apply(url.reveal(), options);
  if (!ran) return report(ran.error(), terminal);
  const auto found = schema::status(url.reveal());
  if (!found) return report(found.error(), terminal);
  list(*found, line.output, terminal);
  const auto upkeep = schema::keep_partitions(url.reveal(), options.lock_timeout);
  if (!upkeep) return report(upkeep.error(), terminal);
  tell_upkeep(*upkeep, terminal);
  if (*ran == 0 && upkeep->made == 0 && upkeep->dropped.empty()) {
    terminal.error << "outbox schema: nothing to do, the schema is up to date\n";
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode schema_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  if (line.verb == Verb::schema_print) {
    for (const Migration& migration : schema::embedded_migrations()) terminal.out << migration.sql;
    return ExitCode::ok;
  }
  const auto url = chosen_url(line, wired, terminal);
  if (!url) return ExitCode::usage;
  if (const auto stopped = announce(line, *url, terminal)) return *stopped;
  return line.verb == Verb::schema_apply ? apply(line, *url, terminal) : show(line, *url, terminal);
}

}  // namespace outbox::app
