#pragma once
// Formats: how the records of each route are written, by the route's number
// (core::Delivery::route).
//
// Thread: the pipeline's. Plain routes cost one comparison.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "connectors/kafka/format/cloud_events.h"
#include "connectors/kafka/format/debezium.h"
#include "connectors/kafka/format/formatted_record.h"

namespace outbox::kafka {

/// The record holds the event as it is (record_headers.h).
struct PlainOptions {};

using RouteFormat = std::variant<PlainOptions, CloudEventsOptions, DebeziumOptions>;

class Formats {
 public:
  /// One entry a route, in the Router's order; routes beyond the last are plain.
  explicit Formats(const std::vector<RouteFormat>& routes = {});

  bool plain(uint32_t route) const {
    return route >= routes_.size() || std::holds_alternative<PlainOptions>(routes_[route]);
  }

  /// Key and partition of the record, which is cleared before. Not for plain routes.
  std::optional<core::Cause> address(uint32_t route, const core::Event& event,
                                     FormattedRecord& record);
  /// The rest of it.
  std::optional<core::Cause> write(uint32_t route, const core::Event& event,
                                   const FormatContext& context, FormattedRecord& record);

 private:
  using Format = std::variant<PlainOptions, CloudEventsFormat, DebeziumFormat>;
  std::vector<Format> routes_;
};

}  // namespace outbox::kafka
