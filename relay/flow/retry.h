#pragma once
// Retry: how long a part that failed is left alone, and why. One outage fails many deliveries at
// once; what fails while the wait is running belongs to the same failure, and what succeeds
// meanwhile was sent before it and does not end it.
//
// Pure; one for each sink of a pipeline.

#include <string>

#include "relay/core/backoff.h"
#include "relay/core/clock.h"

namespace outbox::flow {

class Retry {
 public:
  explicit Retry(core::Backoff backoff) : backoff_(backoff) {}

  void failed(core::Instant now, std::string reason);
  void succeeded(core::Instant now);

  bool waits_at(core::Instant now) const { return now < until_; }
  core::Instant until() const { return until_; }

  /// Why it waits or waited last; empty once something succeeded.
  const std::string& reason() const { return reason_; }

 private:
  core::Backoff backoff_;
  core::Instant until_{};
  std::string reason_;
};

}  // namespace outbox::flow
