#include "tests/bench/latency/options.h"

#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace outbox::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: bench_latency commits|floor --topic NAME [--rate N] [--seconds N] [--warmup N] "
    "[--senders N]   (environment: KAFKA_BOOTSTRAP; commits: DATABASE_URL)";

[[noreturn]] void refuse(std::string_view problem) {
  throw std::invalid_argument(std::string(problem) + "\n" + std::string(kUsage));
}

size_t parse_number(std::string_view text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > 1'000'000) {
    refuse("not a number up to a million: " + std::string(text));
  }
  return number;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void set(Options& options, std::string_view name, std::string_view value) {
  if (name == "--topic") {
    options.topic = value;
  } else if (name == "--rate") {
    options.rate = parse_number(value);
  } else if (name == "--seconds") {
    options.seconds = parse_number(value);
  } else if (name == "--warmup") {
    options.warmup_seconds = parse_number(value);
  } else if (name == "--senders") {
    options.senders = parse_number(value);
  } else {
    refuse("unknown option " + std::string(name));
  }
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode != "commits" && mode != "floor") {
    refuse("say commits or floor");
  }
  options.mode = mode == "floor" ? Mode::floor : Mode::commits;
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 == argc) {
      refuse("a value is missing behind " + std::string(argv[i]));
    }
    set(options, argv[i], argv[i + 1]);
  }
  options.bootstrap = environment("KAFKA_BOOTSTRAP");
  options.database_url = environment("DATABASE_URL");
  if (options.topic.empty() || options.rate == 0 || options.senders == 0 ||
      options.bootstrap.empty() ||
      (options.mode == Mode::commits && options.database_url.empty())) {
    refuse("something is missing");
  }
  return options;
}

}  // namespace outbox::bench
