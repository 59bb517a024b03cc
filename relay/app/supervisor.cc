#include "relay/app/supervisor.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::app {
namespace {

sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

std::vector<std::string> names_of(const Config& config) {
  std::vector<std::string> names;
  for (const PipelineConfig& pipeline : config.pipelines) names.push_back(pipeline.name);
  return names;
}

// A signalfd with an owner.
class SignalReader {
 public:
  SignalReader() {
    const sigset_t signals = handled_signals();
    fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    OUTBOX_ASSERT(fd_ >= 0);
  }
  ~SignalReader() { close(fd_); }
  SignalReader(const SignalReader&) = delete;
  SignalReader& operator=(const SignalReader&) = delete;

  int fd() const { return fd_; }
  /// The next signal that came, 0 when none did.
  int next() {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  int fd_;
};

}  // namespace

Supervisor::Supervisor(Config config, WirePipeline wire, Reload reload, SnapshotBoard& board,
                       Log& log)
    : config_(std::move(config)),
      wire_(std::move(wire)),
      reload_(std::move(reload)),
      board_(board),
      log_(log) {}

Supervisor::~Supervisor() { stop_all(); }

void Supervisor::block_signals() {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool Supervisor::run() {
  SignalReader signals;
  for (const PipelineConfig& pipeline : config_.pipelines) start(pipeline);
  while (!running_.empty()) {
    std::array<pollfd, 2> waiting = {pollfd{signals.fd(), POLLIN, 0},
                                     pollfd{ended_.fd(), POLLIN, 0}};
    poll(waiting.data(), waiting.size(), -1);
    ended_.clear();
    collect_ended();
    for (int signal = signals.next(); signal != 0; signal = signals.next()) {
      if (signal == SIGHUP) {
        reload_config();
        continue;
      }
      log_.info("draining",
                {{"signal", strsignal(signal)}, {"pipelines", std::to_string(running_.size())}});
      stop_all();
    }
  }
  return !failed_;
}

void Supervisor::start(const PipelineConfig& pipeline) {
  auto running = std::make_unique<Running>();
  running->runner = std::make_unique<PipelineRunner>(wire_(config_, pipeline),
                                                     pipeline.drain_timeout, board_, log_);
  running->thread = std::jthread([this, self = running.get()] {
    if (self->runner->run()) failed_ = true;
    self->returned = true;
    ended_.signal();
  });
  // So that top and a debugger tell the threads apart; the kernel takes 15 characters.
  pthread_setname_np(running->thread.native_handle(), pipeline.name.substr(0, 15).c_str());
  running_[pipeline.name] = std::move(running);
}

void Supervisor::collect_ended() {
  std::erase_if(running_, [](const auto& entry) { return entry.second->returned.load(); });
}

void Supervisor::stop_all() {
  for (auto& [name, running] : running_) running->runner->stop();
  running_.clear();  // joins each thread
}

bool Supervisor::unchanged(const Config& next, const PipelineConfig& pipeline) const {
  const auto before = std::find_if(config_.pipelines.begin(), config_.pipelines.end(),
                                   [&](const auto& old) { return old.name == pipeline.name; });
  return before != config_.pipelines.end() && *before == pipeline &&
         config_.source_of(*before) == next.source_of(pipeline) &&
         config_.sink_of(*before) == next.sink_of(pipeline);
}

// What changed, or was stopped by its brake, is stopped as by SIGTERM and started anew, so that a
// reload is no second way for anything.
void Supervisor::reload_config() {
  std::optional<Config> next = reload_();
  if (!next) return;  // the old one stays in force; the problems are logged
  std::vector<std::string> kept;
  for (const PipelineConfig& pipeline : next->pipelines) {
    const auto running = running_.find(pipeline.name);
    if (running == running_.end() || running->second->runner->braked()) continue;
    if (unchanged(*next, pipeline)) kept.push_back(pipeline.name);
  }
  const auto is_kept = [&](const std::string& name) {
    return std::find(kept.begin(), kept.end(), name) != kept.end();
  };
  for (auto& [name, running] : running_) {
    if (!is_kept(name)) running->runner->stop();
  }
  std::erase_if(running_, [&](const auto& entry) { return !is_kept(entry.first); });  // joins
  config_ = std::move(*next);
  board_.show(names_of(config_), std::chrono::steady_clock::now());
  for (const PipelineConfig& pipeline : config_.pipelines) {
    if (!is_kept(pipeline.name)) start(pipeline);
  }
  log_.info("reloaded", {{"kept", std::to_string(kept.size())},
                         {"started", std::to_string(config_.pipelines.size() - kept.size())}});
}

}  // namespace outbox::app
