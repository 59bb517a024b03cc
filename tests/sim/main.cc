#include <gtest/gtest.h>

#include "tests/sim/seeds.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  outbox::sim::seed_options() = outbox::sim::read_seed_options(argc, argv);
  return RUN_ALL_TESTS();
}
