#include "tests/sim/seeds.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace outbox::sim {
namespace {

#ifdef OUTBOX_SANITIZED
constexpr uint64_t kSeedsByDefault = 5'000;
#else
constexpr uint64_t kSeedsByDefault = 100'000;
#endif

volatile uint64_t running_seed = 0;

// Only what is safe in a signal handler.
void name_the_seed(int signal_number) {
  char text[64] = "The seed was ";
  size_t at = std::strlen(text);
  const auto [end, error] = std::to_chars(text + at, text + sizeof text - 2, running_seed + 0);
  static_cast<void>(error);
  *end = '\n';
  if (write(STDERR_FILENO, text, static_cast<size_t>(end - text) + 1) < 0) _exit(1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

[[noreturn]] void usage() {
  std::fputs(
      "usage: outbox_sim [--seeds N] [--first S] | [--seed S]   (and GoogleTest's own flags)\n"
      "  --seeds N  run N seeds (default: OUTBOX_SIM_SEEDS, else what this build is meant for)\n"
      "  --first S  begin with seed S instead of 1\n"
      "  --seed S   run seed S alone and tell every action\n",
      stderr);
  std::exit(2);
}

uint64_t number_or_usage(const char* text) {
  uint64_t number = 0;
  if (text == nullptr) usage();
  const char* const end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stopped != end || text == end) usage();
  return number;
}

}  // namespace

SeedOptions& seed_options() {
  static SeedOptions options;
  return options;
}

SeedOptions read_seed_options(int argc, char** argv) {
  SeedOptions options;
  const char* const asked = std::getenv("OUTBOX_SIM_SEEDS");
  options.count = asked != nullptr ? number_or_usage(asked) : kSeedsByDefault;
  for (int at = 1; at < argc; at += 2) {
    const std::string_view flag(argv[at]);
    const uint64_t number = number_or_usage(argv[at + 1]);
    if (flag == "--seeds") {
      options.count = number;
    } else if (flag == "--first") {
      options.first = number;
    } else if (flag == "--seed") {
      options.only = number;
    } else {
      usage();
    }
  }
  return options;
}

std::optional<Failure> first_failure(uint64_t first, uint64_t count, Coverage& coverage) {
  for (const int ending : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) signal(ending, name_the_seed);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    running_seed = seed;
    std::string violation = Simulation(seed, Telling::nothing, coverage).run();
    if (!violation.empty()) return Failure{seed, std::move(violation)};
  }
  return std::nullopt;
}

}  // namespace outbox::sim
