#pragma once
// Part of the wiring: what the config says of formats, handed to the connector that makes records
// and to the one that must bring the columns for them. Both number the columns in the same order.

#include <variant>
#include <vector>

#include "relay/app/config/config.h"

namespace outbox::kafka {
struct PlainOptions;
struct CloudEventsOptions;
struct DebeziumOptions;
}  // namespace outbox::kafka

namespace outbox::postgres {
struct ExtraColumn;
}  // namespace outbox::postgres

namespace outbox::app {

using RouteFormats = std::vector<
    std::variant<kafka::PlainOptions, kafka::CloudEventsOptions, kafka::DebeziumOptions>>;

/// The columns that some route's records need, each once.
std::vector<postgres::ExtraColumn> extra_columns(const PipelineConfig& pipeline);

/// One a route.
RouteFormats route_formats(const PipelineConfig& pipeline);

}  // namespace outbox::app
