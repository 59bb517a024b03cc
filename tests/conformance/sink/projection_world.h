#pragma once
// A ProjectionSink with a real Postgres behind it, which calls a function of the test's own.

#include <cstdint>
#include <memory>

#include "tests/conformance/sink/sink_contract.h"

namespace outbox::support {

/// When the database refuses a flawed event.
enum class Check : uint8_t {
  at_once,    // by the statement that writes it
  at_commit,  // by a deferred constraint, so that nobody says which event it was
};

std::unique_ptr<SinkSubject> make_projection_subject(Check check);

}  // namespace outbox::support
