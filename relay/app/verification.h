#pragma once
// Verification: what `outbox verify` asks of the wiring, and what it gets back. The comparison
// itself is relay/verify.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relay/app/config/config.h"
#include "relay/core/clock.h"
#include "relay/verify/report.h"

namespace outbox::app {

/// From when on events are compared: a time, or so long before now by the server's clock.
using Since = std::variant<core::WallTime, std::chrono::seconds>;

struct VerifyStep {
  enum class Phase : uint8_t { rows, records, comparing };
  Phase phase = Phase::rows;
  uint64_t done = 0;
  uint64_t total = 0;  // an estimate; 0: unknown
};

struct VerifyInputs {
  const Config& config;
  const PipelineConfig& pipeline;
  std::optional<Since> since;
  std::string folder;  // for temporary files
  std::function<void(const VerifyStep&)> progress;
  verify::Tell tell;  // called for each finding, by kind, once all was read
};

struct VerifyOutcome {
  verify::Summary summary;
  core::WallTime begun_at;          // by the source's clock, before topics and letters were read
  std::vector<std::string> topics;  // that were read
  std::vector<std::string> notes;   // what could not be compared, and why: whole sentences
};

/// Codes of Errors that are no failure of a server.
inline constexpr const char* kNothingToCompare = "NOTHING_TO_COMPARE";
inline constexpr const char* kCannotCompare = "CANNOT_COMPARE";

}  // namespace outbox::app
