#include "tests/sim/plan.h"

#include <initializer_list>
#include <sstream>

namespace outbox::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

uint64_t one_of(core::Random& random, std::initializer_list<uint64_t> choices) {
  return choices.begin()[random.below(choices.size())];
}

Weather draw_weather(core::Random& random) {
  Weather weather;
  weather.partitions = one_of(random, {1, 2, 3, 6});
  weather.batch_max = one_of(random, {1, 2, 4, 10});
  weather.in_flight_max = one_of(random, {1, 2, 5});
  weather.outside_max = one_of(random, {1, 3, 16, 64});
  weather.failure_chance = one_of(random, {0, 0, 2, 10, 30});
  weather.facts_late_chance = one_of(random, {0, 50, 90});
  weather.facts_in_submit = random.below(2) == 0;
  weather.seeding = random.below(3) != 0;
  weather.names_bad_record = random.below(2) == 0;
  return weather;
}

flow::PipelineOptions draw_options(core::Random& random) {
  flow::PipelineOptions options;
  options.window_cells = one_of(random, {1, 2, 4, 16, 64});
  options.window_bytes = one_of(random, {1, 200, 2'000, 100'000});
  options.progress_interval = milliseconds(one_of(random, {0, 1, 100}));
  options.idle_progress_interval = milliseconds(one_of(random, {0, 100, 2'000}));
  options.retry_first = milliseconds(one_of(random, {1, 20}));
  options.retry_most = seconds(one_of(random, {1, 10}));
  options.seed = random.next();
  return options;
}

void draw_weights(Plan& plan, core::Random& random) {
  plan.weight(Action::step) = one_of(random, {10, 30, 60});
  plan.weight(Action::sink) = one_of(random, {5, 30, 60});
  plan.weight(Action::journal) = one_of(random, {2, 10, 30});
  plan.weight(Action::commit) = one_of(random, {2, 6, 12});
  plan.weight(Action::keepalive) = one_of(random, {0, 1, 6});
  plan.weight(Action::wait) = one_of(random, {1, 5, 15});
  plan.weight(Action::checkpoint) = one_of(random, {1, 8, 20});
  plan.weight(Action::source) = one_of(random, {1, 5, 10});
  plan.weight(Action::lease) = one_of(random, {0, 0, 1, 3});
  plan.weight(Action::crash) = one_of(random, {0, 1, 1, 3});
  plan.weight(Action::overtake) = one_of(random, {0, 0, 0, 1});
  plan.weight(Action::replay) = plan.keeps() ? one_of(random, {0, 2, 10}) : 0;
  for (const uint64_t weight : plan.weights) plan.weight_sum += weight;
}

}  // namespace

Plan draw_plan(core::Random& random) {
  Plan plan;
  plan.refused = static_cast<Refused>(random.below(3));
  draw_weights(plan, random);
  plan.actions = one_of(random, {60, 300, 1'000});
  plan.events_max = one_of(random, {5, 30, 150});
  plan.streams = one_of(random, {1, 1, 1, 1, 1, 2});
  plan.keys = one_of(random, {1, 2, 5, 20});
  plan.transaction_max = one_of(random, {1, 3, 8});
  plan.payload_max = one_of(random, {1, 15, 300});
  plan.huge_chance = one_of(random, {0, 0, 10});
  plan.unkeyed_chance = one_of(random, {0, 10, 50});
  plan.bad_event_chance = one_of(random, {0, 3, 20, 60});
  plan.items_per_poll = one_of(random, {1, 3, 20, 1'000});
  plan.save_doubt_chance = one_of(random, {0, 0, 30});
  plan.disconnect_chance = one_of(random, {0, 0, 30});
  plan.pipeline = draw_options(random);
  plan.sink_weather = draw_weather(random);
  plan.journal_weather = draw_weather(random);
  // Letters that come back are written in one order, by one connection.
  if (plan.keeps()) plan.journal_weather.partitions = 1;
  return plan;
}

std::string describe(const Plan& plan) {
  std::ostringstream text;
  const auto weather = [&](const char* name, const Weather& of) {
    text << name << ": " << of.partitions << " partitions, batches up to " << of.batch_max << ", "
         << of.in_flight_max << " in flight, " << of.outside_max << " outside, failures "
         << of.failure_chance << " %, " << (of.seeding ? "" : "not ") << "seeded\n";
  };
  text << "window: " << plan.pipeline.window_cells << " cells, " << plan.pipeline.window_bytes
       << " bytes; " << plan.streams << " streams, " << plan.items_per_poll << " items a poll\n";
  text << "workload: up to " << plan.events_max << " events of " << plan.keys << " keys, bad ones "
       << plan.bad_event_chance << " %, "
       << (!plan.keeps()                   ? "dead letters"
           : plan.refused == Refused::hold ? "held"
                                           : "parked")
       << "\n";
  weather("sink", plan.sink_weather);
  weather("journal", plan.journal_weather);
  return text.str();
}

}  // namespace outbox::sim
