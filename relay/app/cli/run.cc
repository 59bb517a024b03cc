#include <signal.h>
#include <unistd.h>

#include <ostream>

#include "relay/app/admin/respond.h"
#include "relay/app/admin/server.h"
#include "relay/app/cli/commands.h"
#include "relay/app/config/listen_address.h"
#include "relay/app/version.h"

namespace outbox::app {
namespace {

std::vector<std::string> names_of(const std::vector<PipelineConfig>& pipelines) {
  std::vector<std::string> names;
  for (const PipelineConfig& pipeline : pipelines) names.push_back(pipeline.name);
  return names;
}

std::optional<Config> reload(const CommandLine& line, const Wired& wired, Log& log) {
  Loaded loaded = load_config(line.config_file, {process_surroundings(), wired.check_properties});
  for (const Problem& problem : loaded.problems) {
    log.error("config refused", {{"problem", to_string(line.config_file, problem)}});
  }
  if (!loaded.config) log.error("the old config stays in force", {{"config", line.config_file}});
  return std::move(loaded.config);
}

/// Starts the admin server; what it shows is gathered anew for each request.
core::Result<std::unique_ptr<AdminServer>> start_admin(const AdminConfig& admin,
                                                       const SnapshotBoard& board, const Log& log,
                                                       core::Instant started) {
  const auto view = [&board, &log, started] {
    const core::Instant now = std::chrono::steady_clock::now();
    return AdminView{std::string(version()), read_process_facts(started, now), log.dropped(),
                     board.read(), now};
  };
  return AdminServer::start(admin.listen, [view, token = admin.token](const HttpRequest& request) {
    return respond(request, token, view);
  });
}

}  // namespace

ExitCode run_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;

  // Client libraries write to sockets that the other side may have closed.
  signal(SIGPIPE, SIG_IGN);
  const core::Instant started = std::chrono::steady_clock::now();
  Log log(line.log);
  SnapshotBoard board(names_of(config->pipelines), started);
  const auto admin = start_admin(config->admin, board, log, started);
  if (!admin) {
    log.error("cannot start", {{"problem", to_string(admin.error())}});
    return ExitCode::failed;
  }
  log.info("outbox starts", {{"version", std::string(version())},
                             {"pid", std::to_string(getpid())},
                             {"config", line.config_file},
                             {"admin", to_string(config->admin.listen)}});
  const ExitCode exit = wired.run({*config, board, log, [&] { return reload(line, wired, log); }});
  log.info("outbox ends", {{"exit", std::to_string(static_cast<int>(exit))}});
  return exit;
}

}  // namespace outbox::app
