#pragma once
// Brake: stops a pipeline whose events are refused one after the other. A sink that is broken, or a
// route that was misspelt, must not drain the outbox into the dead letters. It counts events, not
// time: some poison in a quiet stream never adds up, since each needs company among the last
// `window_events`.
//
// Counted is an event when it is delivered or refused for the first time, whatever its route does
// with it then. What only stands behind a held or parked event of its key, and what is replayed, is
// not counted.
//
// Pure; owned by a Pipeline. It is never released: the next process, or the pipeline that is
// started anew, has a new one. Memory: 8 bytes a refusal that is allowed.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace outbox::flow {

struct BrakeOptions {
  /// Among so many events, the newest; 0: there is no brake.
  uint64_t window_events = 10'000;
  /// so many may be refused. The next one stops the pipeline.
  uint64_t refused_max = 5'000;
  bool operator==(const BrakeOptions&) const = default;
};

class Brake {
 public:
  explicit Brake(const BrakeOptions& options) : options_(options) {}

  void delivered() { ++seen_; }
  /// False: it is one too many, and so is each one after it. Nothing may be done with it.
  bool refused();

  bool engaged() const { return engaged_; }
  const BrakeOptions& options() const { return options_; }

 private:
  const BrakeOptions options_;
  uint64_t seen_ = 0;
  std::vector<uint64_t> refused_at_;  // a ring: seen_ at the last refused_max refusals
  size_t oldest_ = 0;
  bool engaged_ = false;
};

}  // namespace outbox::flow
