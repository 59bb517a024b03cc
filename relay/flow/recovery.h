#pragma once
// Recovery: when the letters of a route are worth another try by themselves: its sink has been
// healthy for as long as the route says. Healthy is: the pipeline reports no trouble, and of the
// route's new events at most a tenth was refused, so that some poison does not count as sickness.
// No new event at all is no sign of sickness either: the replay begins slowly and finds out.
//
// A route that stays healthy is named again after each such time; whether there is anything to be
// replayed the store of letters knows.
//
// Pure; owned by a PipelineRunner.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "relay/core/clock.h"

namespace outbox::flow {

class Recovery {
 public:
  /// What a route counted since the process started.
  struct Counted {
    uint64_t delivered = 0;
    uint64_t refused = 0;
  };

  /// `after`: one a route; zero: its letters wait for an operator.
  explicit Recovery(std::vector<core::Duration> after);

  /// Now and then, often against `after`. Returns the routes whose letters are to be tried now.
  std::vector<uint32_t> look(core::Instant now, bool healthy, std::span<const Counted> routes);

 private:
  struct Route {
    core::Duration after;
    std::optional<core::Instant> healthy_since;
    Counted then;
  };
  std::vector<Route> routes_;
};

}  // namespace outbox::flow
