#pragma once
// Witness: told by the fakes what a pipeline does to the world and what the world does with it.
// The judge (judge.h) is one; a script's trace is another.

#include <cstdint>

#include "relay/core/checkpoint.h"
#include "relay/core/outcome.h"
#include "relay/core/position.h"
#include "relay/core/sink.h"

namespace outbox::support {

class Witness {
 public:
  virtual ~Witness() = default;
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  virtual void submitted(const core::Delivery&, core::Admission) {}
  /// The destination (or the dead letters) now holds the record, whether or not the relay learns
  /// it.
  virtual void landed(const core::Delivery&) {}
  /// The destination will never take this record.
  virtual void refused(const core::Delivery&) {}
  virtual void completed(const core::Delivery&, core::Outcome) {}
  virtual void save_started(const core::Progress&, uint64_t /*epoch*/) {}
  /// Progress is durable, whether or not the relay learns it.
  virtual void saved(const core::Progress&) {}
  virtual void confirmed(const core::Settled&) {}

 protected:
  Witness() = default;
};

}  // namespace outbox::support
