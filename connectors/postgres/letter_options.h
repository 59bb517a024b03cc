#pragma once
// What the journal and the replay of letters are told by the wiring; plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relay/core/clock.h"

namespace outbox::postgres {

/// How a held key is tried again: after up to `first`, up to twice that the next time and so on,
/// each time drawn at random between nothing and the limit. Past `attempts_max` tries, or `give_up`
/// after the refusal, it is parked.
struct HoldPolicy {
  core::Duration first = std::chrono::seconds(1);
  core::Duration most = std::chrono::minutes(5);
  uint32_t attempts_max = 100;
  core::Duration give_up = std::chrono::hours(24);
};

/// Replays that the relay asks for itself: from `rate_first` letters a second on, up to
/// `rate_most`, until `failures_max` were refused; never of a letter that jobs tried `replays_max`
/// times.
struct AutomaticReplay {
  uint32_t rate_first = 10;
  uint32_t rate_most = 1000;
  uint32_t failures_max = 10;
  uint32_t replays_max = 3;
};

/// What a route says of the replays of its letters. The database holds everybody to it.
struct ReplayPolicy {
  bool approval = false;      // by somebody else than who asked
  uint32_t replays_max = 10;  // then only a forced one takes a letter
  std::optional<AutomaticReplay> automatic;
};

struct RouteLetters {
  std::string name;
  HoldPolicy hold;
  ReplayPolicy replay;
};

/// Whether the pipeline can do without outbox.dead_letter, which a schema of before has not.
enum class LetterTable : uint8_t {
  optional,  // then dead letters go to their topics only
  required,  // some route holds or parks
};

struct LetterOptions {
  LetterTable table = LetterTable::optional;
  std::vector<RouteLetters> routes;  // in the Router's order
  /// The budget of the pipeline: so many held keys are tried again a second, the others wait
  /// longer.
  uint32_t held_retries_per_s = 200;
};

/// Code of the Error of a schema that has no letters.
inline constexpr const char* kSchemaTooOld = "SCHEMA_TOO_OLD";

}  // namespace outbox::postgres
