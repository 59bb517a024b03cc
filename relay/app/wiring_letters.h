#pragma once
// Part of the wiring: the dead letters of a pipeline, for `outbox dead-letters`.

#include "relay/app/config/config.h"
#include "relay/app/letter_calls.h"

namespace outbox::app {

/// Connects with the first call.
LetterCalls letter_calls(const Config& config, const PipelineConfig& pipeline);

}  // namespace outbox::app
