#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <mutex>
#include <ostream>
#include <utility>

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

/// The admin token in force: read by the admin server's thread, replaced by a reload.
class TokenInForce {
 public:
  explicit TokenInForce(Secret token) : token_(std::move(token)) {}

  Secret read() const {
    const std::lock_guard lock(mutex_);
    return token_;
  }
  void replace(Secret token) {
    const std::lock_guard lock(mutex_);
    token_ = std::move(token);
  }

 private:
  mutable std::mutex mutex_;
  Secret token_;  // guarded by mutex_
};

/// Starts the admin server; what it shows is gathered anew for each request.
core::Result<std::unique_ptr<AdminServer>> start_admin(const ListenAddress& listen,
                                                       const TokenInForce& token,
                                                       const SnapshotBoard& board, const Log& log) {
  const auto view = [&board, &log, started = std::chrono::steady_clock::now()] {
    const core::Instant now = std::chrono::steady_clock::now();
    return AdminView{std::string(version()), read_process_facts(started, now), log.dropped(),
                     board.read(), now};
  };
  return AdminServer::start(listen, [view, &token](const HttpRequest& request) {
    return respond(request, token.read(), view);
  });
}

/// Reads the config again. A new token counts at once, but only where the relay listens already: an
/// address that was open to others must not lose its token.
std::optional<Config> reload(const CommandLine& line, const Wired& wired,
                             const ListenAddress& listen, TokenInForce& token, Log& log) {
  Loaded loaded = load_config(line.config_file, {process_surroundings(), wired.check_properties});
  for (const Problem& problem : loaded.problems) {
    log.error("config refused", {{"problem", to_string(line.config_file, problem)}});
  }
  if (!loaded.config) {
    log.error("the old config stays in force", {{"config", line.config_file}});
  } else if (loaded.config->admin.listen == listen) {
    token.replace(loaded.config->admin.token);
  } else {
    log.warn("[admin] stays as it was: another listen address needs a restart",
             {{"listen", to_string(listen)}});
  }
  return std::move(loaded.config);
}

}  // namespace

ExitCode run_command(const CommandLine& line, const Wired& wired, const Terminal& terminal) {
  const auto config = config_of(line, wired, terminal);
  if (!config) return ExitCode::usage;

  // Client libraries write to sockets that the other side may have closed.
  signal(SIGPIPE, SIG_IGN);
  // Where a machine gives everyone huge pages, memory would grow by 2 MB at a time (invariant 7).
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  Log log(line.log);
  SnapshotBoard board(names_of(config->pipelines), std::chrono::steady_clock::now());
  const ListenAddress& listen = config->admin.listen;
  TokenInForce token(config->admin.token);
  const auto admin = start_admin(listen, token, board, log);
  if (!admin) {
    log.error("cannot start", {{"problem", to_string(admin.error())}});
    return ExitCode::failed;
  }
  log.info("outbox starts", {{"version", std::string(version())},
                             {"pid", std::to_string(getpid())},
                             {"config", line.config_file},
                             {"admin", to_string(listen)}});
  const ExitCode exit =
      wired.run({*config, board, log, [&] { return reload(line, wired, listen, token, log); }});
  log.info("outbox ends", {{"exit", std::to_string(static_cast<int>(exit))}});
  return exit;
}

}  // namespace outbox::app
