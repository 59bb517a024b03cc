#pragma once
// Interpreter: runs a script's commands on a real pipeline over fakes (tests/support/world.h) and
// gives each command's trace. README.md lists the commands.

#include <memory>
#include <string>
#include <vector>

#include "tests/script/script.h"
#include "tests/script/trace.h"
#include "tests/support/world.h"

namespace outbox::script {

/// What becomes of deliveries that are outside when the process is killed.
enum class InFlight { nothing_lands, everything_lands };

class Interpreter {
 public:
  explicit Interpreter(const Script& script);

  /// Runs one command and returns its trace. Throws std::runtime_error for what is no command.
  std::string run(const std::string& command);

  /// Runs the script's commands until the pipeline has made `steps` steps, kills it there, starts
  /// the next process with every fault gone and lets it come to rest. Returns the judge's verdict.
  std::string crash_after(uint64_t steps, InFlight in_flight);

  support::World& world() { return *world_; }

 private:
  using Words = std::vector<std::string>;

  void make_world(const Words& options);
  void dispatch(const Words& words);
  void commit(const Words& words);
  support::EventSpec event_of(const std::string& word);
  void step(uint64_t count);
  void told(const std::optional<flow::Pipeline::Next>& next);
  void on_sink(support::FakeSink& sink, const Words& words);
  void complete(support::FakeSink& sink, const std::string& how, const Words& words);
  core::Ticket ticket_of(const support::FakeSink& sink, const std::string& name);
  void on_checkpoint(const Words& words);
  void crash(InFlight in_flight);
  void start();
  void show();
  void show_letters();
  void mend();
  void mend(uint64_t number);

  const Script& script_;
  Trace trace_;
  std::unique_ptr<support::World> world_;
  std::vector<uint64_t> refused_;
};

}  // namespace outbox::script
