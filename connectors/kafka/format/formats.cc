#include "connectors/kafka/format/formats.h"

#include "relay/core/assert.h"

namespace outbox::kafka {

Formats::Formats(const std::vector<RouteFormat>& routes) {
  for (const RouteFormat& route : routes) {
    if (const auto* cloud_events = std::get_if<CloudEventsOptions>(&route)) {
      routes_.emplace_back(std::in_place_type<CloudEventsFormat>, *cloud_events);
    } else if (const auto* debezium = std::get_if<DebeziumOptions>(&route)) {
      routes_.emplace_back(std::in_place_type<DebeziumFormat>, *debezium);
    } else {
      routes_.emplace_back(PlainOptions{});
    }
  }
}

std::optional<core::Cause> Formats::address(uint32_t route, const core::Event& event,
                                            FormattedRecord& record) {
  record.clear();
  if (auto* cloud_events = std::get_if<CloudEventsFormat>(&routes_[route])) {
    return cloud_events->address(event, record);
  }
  auto* debezium = std::get_if<DebeziumFormat>(&routes_[route]);
  OUTBOX_ASSERT(debezium != nullptr);
  return debezium->address(event, record);
}

std::optional<core::Cause> Formats::write(uint32_t route, const core::Event& event,
                                          const FormatContext& context, FormattedRecord& record) {
  if (auto* cloud_events = std::get_if<CloudEventsFormat>(&routes_[route])) {
    return cloud_events->write(event, context, record);
  }
  auto* debezium = std::get_if<DebeziumFormat>(&routes_[route]);
  OUTBOX_ASSERT(debezium != nullptr);
  return debezium->write(event, context, record);
}

}  // namespace outbox::kafka
