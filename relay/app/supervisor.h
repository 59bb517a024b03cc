#pragma once
// Supervisor: runs every pipeline of a config, each on a thread of its own, until a signal or until
// all of them ended.
//
//   SIGTERM, SIGINT  stop: drain, save, confirm, return
//   SIGHUP           load the config again; when it has errors keep the old one, else restart the
//   pipelines that changed, and those that their brake stopped
//
// Pipelines fail alone: one that stops with an Error leaves the others running, and is shown by
// status and /readyz. Thread: the main thread, with the signals above blocked before any other
// thread starts (block_signals).

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "relay/app/config/config.h"
#include "relay/app/pipeline_runner.h"
#include "relay/app/snapshot.h"

namespace outbox::app {

/// Builds one pipeline's parts; touches nothing in the world.
using WirePipeline = std::function<PipelineParts(const Config&, const PipelineConfig&)>;

/// The checked config of a reload; nullopt when it has errors, which were logged.
using Reload = std::function<std::optional<Config>()>;

class Supervisor {
 public:
  Supervisor(Config config, WirePipeline wire, Reload reload, SnapshotBoard& board, Log& log);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Before any thread is started: signals then reach run() only.
  static void block_signals();

  /// True when every pipeline ended as told, false when one ended with an Error.
  bool run();

 private:
  struct Running {
    std::unique_ptr<PipelineRunner> runner;
    std::atomic<bool> returned{false};
    std::jthread thread;  // last, so that it is joined before what it uses goes
  };

  void start(const PipelineConfig& pipeline);
  void stop_all();
  void collect_ended();
  void reload_config();
  bool unchanged(const Config& next, const PipelineConfig& pipeline) const;

  Config config_;
  WirePipeline wire_;
  Reload reload_;
  SnapshotBoard& board_;
  Log& log_;
  Wakeup ended_;  // a pipeline's thread is about to return
  std::map<std::string, std::unique_ptr<Running>> running_;
  std::atomic<bool> failed_{false};
};

}  // namespace outbox::app
