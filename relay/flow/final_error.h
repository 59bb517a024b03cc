#pragma once
// The errors that end a pipeline, in words.

#include <string>
#include <utility>

#include "relay/core/error.h"
#include "relay/core/outcome.h"

namespace outbox::flow {

inline core::Error stopped(std::string code, std::string subject, std::string detail,
                           std::string hint) {
  return core::Error{core::Fault::fatal, std::move(code),   "deliver",
                     std::move(subject), std::move(detail), std::move(hint)};
}

inline std::string describe(const core::Completion& completion) {
  if (!completion.cause) return core::to_string(completion.outcome);
  return completion.cause->code + ": " + completion.cause->detail;
}

}  // namespace outbox::flow
