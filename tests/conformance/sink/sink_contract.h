#pragma once
// SinkSubject: one implementation of core::Sink with the world behind it, for the contract suite in
// sink_contract_test.cc. A fake must pass the same suite as the real thing, or tests with fakes
// prove nothing.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "relay/core/sink.h"
#include "tests/support/event_maker.h"

namespace outbox::support {

class SinkSubject {
 public:
  virtual ~SinkSubject() = default;
  SinkSubject(const SinkSubject&) = delete;
  SinkSubject& operator=(const SinkSubject&) = delete;

  virtual core::Sink& sink() = 0;
  /// Ends the sink, with whatever it holds.
  virtual void destroy_sink() = 0;
  /// The time, and a rest of a moment where time is real.
  virtual core::Now rest() = 0;

  /// A destination that takes records.
  virtual std::string usable_name() = 0;
  /// A name that no destination can ever have.
  virtual std::string impossible_name() = 0;
  /// Makes of `spec` an event that the destination will refuse once it sees it.
  virtual void flaw(EventSpec& spec) = 0;
  /// Numbers of the events that landed, in the order of landing.
  virtual std::vector<uint64_t> landed() = 0;

 protected:
  SinkSubject() = default;
};

struct SinkKind {
  std::string name;
  std::function<std::unique_ptr<SinkSubject>()> make;
};

inline void PrintTo(const SinkKind& kind, std::ostream* out) { *out << kind.name; }

std::vector<SinkKind> sink_kinds();

}  // namespace outbox::support
