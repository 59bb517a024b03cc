#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

#include "tests/sim/seeds.h"

namespace outbox::sim {
namespace {

// A kind of trouble that never came was not tested; this many seeds meet all of them.
constexpr uint64_t kSeedsForCoverage = 2'000;

std::map<std::string, uint64_t> rows_of(const Coverage& coverage) {
  return {{"steps", coverage.steps},
          {"events", coverage.events},
          {"huge transactions", coverage.huge_transactions},
          {"keepalives", coverage.keepalives},
          {"crashes", coverage.crashes},
          {"crashes inside a transaction", coverage.crashes_inside_a_transaction},
          {"crashes between save and confirm", coverage.crashes_between_save_and_confirm},
          {"relays overtaken", coverage.relays_overtaken},
          {"saves in doubt", coverage.saves_in_doubt},
          {"leases lost", coverage.leases_lost},
          {"reconnects of the source", coverage.reconnects},
          {"honest duplicates", coverage.duplicates},
          {"dead letters", coverage.dead_letters},
          {"skipped events", coverage.skipped},
          {"held and parked letters", coverage.kept},
          {"letters behind another", coverage.kept_behind},
          {"letters refused again", coverage.refused_again},
          {"batches", coverage.sink.batches},
          {"fences", coverage.sink.fences},
          {"records refused by the broker", coverage.sink.refused},
          {"records refused alone", coverage.sink.refused_alone},
          {"batches retried though landed", coverage.sink.retried_though_landed},
          {"deliveries returned", coverage.sink.returned},
          {"deliveries that waited", coverage.sink.waits},
          {"submits into a full sink", coverage.sink.fulls},
          {"fences of the journal", coverage.journal.fences},
          {"dead letters retried though landed", coverage.journal.retried_though_landed},
          {"dead letters that waited", coverage.journal.waits}};
}

TEST(SimulationTest, HoldsEveryInvariantUnderRandomFaults) {
  const SeedOptions& options = seed_options();
  Coverage coverage;
  if (options.only) {
    EXPECT_EQ(Simulation(*options.only, Telling::every_action, coverage).run(), "");
    return;
  }
  const auto failure = first_failure(options.first, options.count, coverage);
  if (failure) {
    FAIL() << "seed " << failure->seed << ": " << failure->violation
           << "\nreplay: outbox_sim --seed " << failure->seed;
  }
  std::printf("%llu seeds, beginning with %llu\n", static_cast<unsigned long long>(options.count),
              static_cast<unsigned long long>(options.first));
  for (const auto& [name, count] : rows_of(coverage)) {
    std::printf("%12llu %s\n", static_cast<unsigned long long>(count), name.c_str());
    EXPECT_TRUE(count > 0 || options.count < kSeedsForCoverage) << "no " << name << " were drawn";
  }
}

TEST(SimulationTest, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Coverage first;
    Coverage second;
    EXPECT_EQ(Simulation(seed, Telling::nothing, first).run(),
              Simulation(seed, Telling::nothing, second).run());
    EXPECT_EQ(rows_of(first), rows_of(second)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace outbox::sim
