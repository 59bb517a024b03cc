#pragma once
// PipelineRunner: one pipeline on one thread. Reads the clock, sleeps in poll(2), steps; decides
// nothing about events.
//
// Thread: run() is the pipeline's thread; stop() may come from any other. Everything in `parts`
// belongs to run(). Ends: after stop(), once everything open is settled, saved and confirmed or the
// drain timeout passed (what is unconfirmed comes again at the next start); or at an Error of the
// pipeline, which is final.

#include <atomic>
#include <chrono>
#include <optional>

#include "relay/app/log/log.h"
#include "relay/app/pipeline_parts.h"
#include "relay/app/preparation.h"
#include "relay/app/snapshot.h"
#include "relay/app/wakeup.h"
#include "relay/core/error.h"
#include "relay/flow/recovery.h"

namespace outbox::app {

class PipelineRunner {
 public:
  PipelineRunner(PipelineParts parts, std::chrono::milliseconds drain_timeout, SnapshotBoard& board,
                 Log& log);
  ~PipelineRunner();
  PipelineRunner(const PipelineRunner&) = delete;
  PipelineRunner& operator=(const PipelineRunner&) = delete;

  /// Returns when the pipeline ended: without an Error after stop().
  std::optional<core::Error> run();

  void stop();

  /// The brake stopped it, and it goes on only when it is started anew. From any thread.
  bool braked() const { return braked_; }

  const std::string& name() const { return parts_.name; }

 private:
  std::optional<core::Error> loop();
  void replay_what_recovered(core::Now now);
  bool drained_or_late(core::Now now);
  void sleep(core::Now now, core::Instant wake_at);
  void publish(core::Now now);
  core::Health health(core::Now now);
  std::string brake_reason() const;
  bool stalled(core::Now now);
  void note_health(const core::Health& health);
  void note_refusals();
  void fill_counters(PipelineSnapshot& snapshot) const;
  std::string position_text(core::Position position) const;
  std::string place_text(const flow::Refusal& refusal) const;
  void note_notices();

  PipelineParts parts_;
  std::chrono::milliseconds drain_timeout_;
  SnapshotBoard& board_;
  Log& log_;
  Wakeup wakeup_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> braked_{false};
  flow::Router router_;
  flow::Recovery recovery_;
  std::optional<flow::Pipeline> pipeline_;
  std::optional<Preparation> preparation_;
  std::optional<core::Instant> drain_until_;
  core::Instant publish_at_{};
  core::Health noted_health_;
  uint64_t oldest_open_ = 0;  // index in the window
  core::Instant oldest_open_since_{};
  LagMeter lag_;
  uint64_t noted_refusals_ = 0;
};

}  // namespace outbox::app
