#pragma once
// What the journal and the replay of letters are told by the wiring; plain values.

#include <cstdint>
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

/// Whether the pipeline can do without outbox.dead_letter, which a schema of before has not.
enum class LetterTable : uint8_t {
  optional,  // then dead letters go to their topics only
  required,  // some route holds or parks
};

struct LetterOptions {
  LetterTable table = LetterTable::optional;
  std::vector<HoldPolicy> holds;  // one for each route, in the Router's order
};

/// Code of the Error of a schema that has no letters.
inline constexpr const char* kSchemaTooOld = "SCHEMA_TOO_OLD";

}  // namespace outbox::postgres
