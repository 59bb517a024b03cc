#pragma once
// Sender: sends one event, whichever way, and says from when its latency counts.
//
// Owned and used by one thread. Failures are exceptions: there is nothing to measure any more.

#include <cstddef>
#include <string>

#include "tests/bench/latency/timeline.h"

namespace outbox::bench {

class Sender {
 public:
  virtual ~Sender() = default;
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Sends event number `event`, whose record will have that number as its key.
  virtual Clock::time_point send(size_t event) = 0;

 protected:
  Sender() = default;
};

/// About 200 bytes, as in the drain's backlog.
inline std::string payload_of(size_t event) {
  return "{\"order\": " + std::to_string(event) +
         R"(, "customer": "c-991", "currency": "EUR", "total": 1299.50, "lines": 3, )"
         R"("channel": "web", "placed_at": "2026-01-31T12:00:00Z", "note": ")" +
         std::string(60, 'x') + "\"}";
}

}  // namespace outbox::bench
