#pragma once
// Plan: what a seed draws before its run begins. Some kinds of trouble are off in each run, so that
// the others get room.

#include <array>
#include <cstdint>
#include <string>

#include "relay/core/backoff.h"
#include "relay/flow/pipeline.h"
#include "tests/sim/kafka_model.h"

namespace outbox::sim {

/// What may happen next.
enum class Action : uint8_t {
  step,        // the pipeline's loop runs once, woken or not
  sink,        // the broker or the client library does one thing
  journal,     // the same behind the dead letters
  commit,      // a service commits a transaction
  keepalive,   // the log moves on without us
  wait,        // time passes
  checkpoint,  // a save ends, or its connection does
  source,      // the source's connection comes, goes, or sends a status message
  lease,       // lost or regained
  crash,       // kill -9, and a new start
  overtake,    // another relay raised the epoch
  replay,      // letters are asked for again, after something was mended or not
};
inline constexpr size_t kActions = 12;

/// What becomes of refused events.
enum class Refused : uint8_t { dead_letter, hold, park };

struct Plan {
  std::array<uint64_t, kActions> weights{};
  uint64_t weight_sum = 0;
  uint64_t actions = 0;
  uint64_t events_max = 0;

  size_t streams = 1;
  uint64_t keys = 1;
  uint64_t transaction_max = 1;
  uint64_t payload_max = 1;
  uint64_t huge_chance = 0;
  uint64_t unkeyed_chance = 0;
  uint64_t bad_event_chance = 0;
  size_t items_per_poll = 1;
  uint64_t save_doubt_chance = 0;
  uint64_t disconnect_chance = 0;
  Refused refused = Refused::dead_letter;

  flow::PipelineOptions pipeline;
  Weather sink_weather;
  Weather journal_weather;

  /// What may be open at most: the budget, and one event more for each stream.
  size_t bytes_max() const { return pipeline.window_bytes + windows() * (payload_max + 64); }
  size_t windows() const { return streams + (keeps() ? 1 : 0); }
  bool keeps() const { return refused != Refused::dead_letter; }

  uint64_t& weight(Action action) { return weights[static_cast<size_t>(action)]; }
};

Plan draw_plan(core::Random& random);

/// One line for each part, for a person who replays a seed.
std::string describe(const Plan& plan);

}  // namespace outbox::sim
