// Built once for each planted bug of relay/flow/planted.h: passes only when the simulation catches
// it.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/sim/seeds.h"

namespace outbox::sim {
namespace {

constexpr uint64_t kSeedsMax = 3'000;

TEST(PlantedBugTest, OUTBOX_PLANTED) {
  Coverage coverage;
  if (const auto only = seed_options().only) {
    EXPECT_NE(Simulation(*only, Telling::every_action, coverage).run(), "");
    return;
  }
  const auto failure = first_failure(1, kSeedsMax, coverage);
  ASSERT_TRUE(failure) << kSeedsMax << " seeds did not notice the planted bug";
  std::printf("caught by seed %llu: %s\n", static_cast<unsigned long long>(failure->seed),
              failure->violation.c_str());
}

}  // namespace
}  // namespace outbox::sim
