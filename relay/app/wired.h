#pragma once
// Wired: what the commands need from the connectors and the runner, as functions, so that they know
// none of them. The wiring fills it; tests bring their own.

#include <functional>
#include <vector>

#include "relay/app/config/load.h"
#include "relay/app/exit_code.h"
#include "relay/app/finding.h"
#include "relay/app/letter_calls.h"
#include "relay/app/log/log.h"
#include "relay/app/repair.h"
#include "relay/app/snapshot.h"
#include "relay/app/verification.h"
#include "relay/core/result.h"

namespace outbox::app {

/// What a run is given. All of it outlives the run.
struct RunInputs {
  const Config& config;
  SnapshotBoard& board;
  Log& log;
  /// Reads and checks the config again (SIGHUP). Without a config the old one stays in force; the
  /// problems are already logged.
  std::function<std::optional<Config>()> reload;
};

struct Wired {
  /// The Kafka connector's judgement on `properties`.
  PropertyCheck check_properties;

  /// Everything that `outbox doctor` looks at, in the order it is shown.
  std::function<std::vector<DoctorCheck>(const Config&)> doctor_checks;

  /// Runs every pipeline until SIGTERM or SIGINT (drained: ok) or until one cannot go on (failed).
  /// Handles the signals itself.
  std::function<ExitCode(const RunInputs&)> run;

  /// Compares source and topics of a pipeline.
  std::function<core::Result<VerifyOutcome>(const VerifyInputs&)> verify;

  /// Makes letters of rows that verify found lost.
  std::function<core::Result<RepairCounts>(const RepairInputs&)> file_lost;

  /// The dead letters of a pipeline.
  std::function<LetterCalls(const Config&, const PipelineConfig&)> letters;
};

}  // namespace outbox::app
