#pragma once
// World: everything around one pipeline, made of fakes: what survives a crash (upstreams, stored
// progress, what landed, the judge) and one relay process over it. crash() ends the process as
// kill -9 would; start() begins the next one from what is durable.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/flow/pipeline.h"
#include "relay/flow/router.h"
#include "tests/support/fake_checkpoint.h"
#include "tests/support/fake_sink.h"
#include "tests/support/fake_source.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/judge.h"
#include "tests/support/manual_clock.h"

namespace outbox::support {

struct WorldOptions {
  size_t streams = 1;
  flow::PipelineOptions pipeline;
  std::vector<flow::Route> routes = {};
  flow::PreChecks pre_checks = flow::PreChecks::on;
  Witness* witness = nullptr;  // told everything that the judge is told
  bool started = true;         // with a first process running
  bool replays = false;        // the journal gives letters back
};

/// One relay process. The sinks go first, then the pipeline, the source last: see pipeline.h.
struct Process {
  std::unique_ptr<FakeSource> source;
  std::unique_ptr<FakeReplay> replay;  // null: the journal gives nothing back
  std::unique_ptr<FakeCheckpoint> checkpoint;
  std::unique_ptr<flow::Router> router;
  std::unique_ptr<flow::Pipeline> pipeline;
  std::unique_ptr<FakeSink> journal;
  std::unique_ptr<FakeSink> sink;
};

class World : private Witness {
 public:
  explicit World(WorldOptions options = {});

  // -- what services commit
  /// A transaction of these events; their positions and commit time are filled in.
  void commit(uint64_t commit_lsn, std::vector<EventSpec> events, Fate fate = Fate::deliver,
              uint16_t stream = 0);
  void commit(uint64_t commit_lsn, std::vector<EventSpec> events,
              const std::function<Fate(const EventSpec&)>& fate_of, uint16_t stream = 0);
  void keepalive(uint64_t lsn, uint16_t stream = 0);

  // -- the process
  void start();
  void crash();
  bool running() const { return process_.has_value(); }
  FakeSource& source() { return *process_->source; }
  FakeSink& sink() { return *process_->sink; }
  FakeSink& journal() { return *process_->journal; }
  FakeCheckpoint& checkpoint() { return *process_->checkpoint; }
  FakeReplay& replay() { return *process_->replay; }
  flow::Router& router() { return *process_->router; }
  flow::Pipeline& pipeline() { return *process_->pipeline; }

  /// Run at most so many steps, over all processes, in run() and run_for().
  void steps_at_most(uint64_t steps) { steps_max_ = steps; }
  uint64_t steps_max() const { return steps_max_; }
  bool steps_used_up() const { return step_count >= steps_max_; }

  /// One step at the clock's time; nullopt, and error() set, when it was the pipeline's last.
  std::optional<flow::Pipeline::Next> step();
  /// Steps as long as there is work, or news from a part. Like the runner, it does not step
  /// otherwise: a forgotten wake-up shows as work left undone.
  void run();
  /// run(), and moves the clock to the pipeline's next wake-up, until there is none within `limit`.
  void run_for(core::Duration limit);

  /// When the pipeline asked to be woken.
  core::Instant wake_at() const { return wake_at_; }

  bool replays() const { return options_.replays; }
  /// What made sinks refuse events is mended, and what waits in the letters is replayed.
  void mend();

  /// For the next process.
  void take_the_brake_off() { options_.pipeline.brake.window_events = 0; }

  void lose_lease() { lease_held_ = false; }
  void regain_lease() { lease_held_ = true; }

  ManualClock clock;
  std::vector<FakeUpstream> upstreams;
  ProgressStore store;
  FakeLetters letters;
  Judge judge;
  std::optional<core::Error> error;  // that ended the pipeline
  std::vector<uint64_t> poisoned;    // refused by the sinks of every process, see FakeSink::poison
  uint64_t step_count = 0;           // over all processes
  std::vector<uint64_t> delivered;   // what landed, in order, over all processes
  std::vector<uint64_t> dead_letters;

 private:
  bool news() const;
  std::string destination_of(const EventSpec& spec) const;

  void submitted(const core::Delivery& delivery, core::Admission admission) override;
  void landed(const core::Delivery& delivery) override;
  void refused(const core::Delivery& delivery) override;
  void completed(const core::Delivery& delivery, core::Outcome outcome) override;
  void save_started(const core::Progress& progress, uint64_t epoch) override;
  void saved(const core::Progress& progress) override;
  void confirmed(const core::Settled& settled) override;

  WorldOptions options_;
  std::optional<Process> process_;
  uint64_t epoch_ = 0;  // of the running process
  core::Instant wake_at_ = core::kNever;
  uint64_t steps_max_ = UINT64_MAX;
  size_t largest_event_bytes_ = 0;
  bool lease_held_ = true;
};

}  // namespace outbox::support
