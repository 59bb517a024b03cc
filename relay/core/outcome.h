#pragma once
// What became of a delivery. Every admitted delivery completes exactly once and speaks for itself,
// never for its batch.

#include <cstdint>
#include <memory>
#include <string>

#include "relay/core/position.h"

namespace outbox::core {

enum class Outcome : uint8_t {
  durable,   // the destination owns it
  returned,  // not sent, or surely without effect; not an attempt
  retry,     // failed and may work later; a repeat is harmless
  reject,    // this record is refused and would be again
  unknown,   // went out, no answer came back: never sent again blindly (invariant 5)
  fatal,     // the sink cannot go on; the pipeline stops
};

const char* to_string(Outcome outcome);

/// Why a record was refused or a delivery failed. Ends up in dead letters, logs and status, so it
/// names the thing.
struct Cause {
  std::string code;    // stable: "MSG_SIZE_TOO_LARGE", "NO_ROUTE"
  std::string detail;  // a sentence with the numbers
};

struct Completion {
  Ticket ticket;
  Outcome outcome = Outcome::durable;
  std::unique_ptr<Cause> cause;  // null for durable and returned
  /// From a journal: an earlier process wrote this event there (its epoch is lower). What this one
  /// wrote, and was not told of, does not count.
  bool known_before = false;
};

}  // namespace outbox::core
