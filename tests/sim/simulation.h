#pragma once
// Simulation: one seed, one life of a pipeline. Everything is drawn from the seed: what services
// commit, how large the windows are, what the broker, the journal, the progress store, the lease
// and the source's connection do between any two steps, and where the process is killed. Then all
// faults end, and everything must settle by itself. The outside judge compares what happened with
// the invariants (tests/support/judge.h).

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/flow/pipeline.h"
#include "relay/flow/router.h"
#include "tests/sim/kafka_model.h"
#include "tests/sim/narrator.h"
#include "tests/sim/plan.h"
#include "tests/support/fake_checkpoint.h"
#include "tests/support/fake_letters.h"
#include "tests/support/fake_source.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/judge.h"
#include "tests/support/manual_clock.h"

namespace outbox::sim {

/// Sums over seeds. A kind of trouble that never came was not tested.
struct Coverage {
  KafkaCoverage sink;
  KafkaCoverage journal;
  uint64_t steps = 0;
  uint64_t events = 0;
  uint64_t huge_transactions = 0;
  uint64_t keepalives = 0;
  uint64_t crashes = 0;
  uint64_t crashes_inside_a_transaction = 0;
  uint64_t crashes_between_save_and_confirm = 0;
  uint64_t relays_overtaken = 0;
  uint64_t saves_in_doubt = 0;
  uint64_t leases_lost = 0;
  uint64_t reconnects = 0;
  uint64_t duplicates = 0;
  uint64_t dead_letters = 0;
  uint64_t skipped = 0;
  uint64_t kept = 0;         // letters that block their key
  uint64_t kept_behind = 0;  // among them, those that only stand behind one
  uint64_t refused_again = 0;
};

enum class Telling : uint8_t { nothing, every_action };

class Simulation {
 public:
  Simulation(uint64_t seed, Telling telling, Coverage& coverage);
  ~Simulation();

  /// The violated invariant, or empty.
  std::string run();

 private:
  struct Process;

  void commit();
  support::EventSpec draw_event(support::Fate* fate, std::string* destination);
  void keepalive();
  void start();
  void crash();
  void step();
  void act(Action action);
  void act_on_checkpoint();
  void act_on_source();
  void wait();
  Action draw_action();
  void heal();
  void end_faults();
  void replay();
  void mend(uint64_t number);
  void mend_all();
  void check_rest();
  bool woken() const;
  bool chance(uint64_t percent) { return random_.below(100) < percent; }
  void tell(const std::string& what) const;

  core::Random random_;
  Telling telling_;
  Coverage& coverage_;
  Plan plan_;
  support::ManualClock clock_;
  std::vector<support::FakeUpstream> upstreams_;
  support::ProgressStore store_;
  support::Judge judge_;
  support::FakeLetters letters_;
  Narrator narrator_;
  std::vector<Taken> taken_;
  std::unique_ptr<Process> process_;
  core::Instant wake_at_ = core::kNever;
  uint64_t epoch_ = 0;
  uint64_t next_number_ = 1;
  uint64_t committed_events_ = 0;
  bool lease_held_ = true;
  bool worked_ = false;
  bool mended_ = false;  // all that can be
};

}  // namespace outbox::sim
