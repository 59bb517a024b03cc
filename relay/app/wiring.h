#pragma once
// Wiring: the one place that knows concrete connectors. Turns a checked config into the parts of a
// pipeline, and offers the connectors' own checks to commands that must not know them.

#include "relay/app/config/config.h"
#include "relay/app/config/load.h"
#include "relay/app/pipeline_parts.h"

namespace outbox::app {

/// Touches nothing in the world: connecting is the parts' own work once they are stepped.
PipelineParts wire_pipeline(const Config& config, const PipelineConfig& pipeline);

/// The Kafka client's own judgement of `properties`.
std::vector<PropertyFault> check_kafka_properties(
    const std::map<std::string, std::string>& properties);

}  // namespace outbox::app
