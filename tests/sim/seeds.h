#pragma once
// Runs simulations over a range of seeds; shared by the simulator and its planted twins.

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/simulation.h"

namespace outbox::sim {

/// What the command line and the environment ask for.
struct SeedOptions {
  uint64_t first = 1;
  uint64_t count = 0;
  std::optional<uint64_t> only;  // --seed: one, told action by action
};

/// --seeds N, --first S, --seed S; OUTBOX_SIM_SEEDS is the count when no flag says so. Anything
/// else ends the program with usage.
SeedOptions read_seed_options(int argc, char** argv);

/// Set by main() before the tests run.
SeedOptions& seed_options();

struct Failure {
  uint64_t seed = 0;
  std::string violation;
};

/// The first seed of `count` from `first` that violates an invariant. A seed that ends in an abort
/// (a failed assert, a sanitizer) is named on stderr before the process ends.
std::optional<Failure> first_failure(uint64_t first, uint64_t count, Coverage& coverage);

}  // namespace outbox::sim
