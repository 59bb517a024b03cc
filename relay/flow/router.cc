#include "relay/flow/router.h"

#include <algorithm>
#include <array>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/limits.h"

namespace outbox::flow {
namespace {

using core::Cause;
using core::Destination;
using core::DestinationState;
using core::Event;
using core::HeadersFault;

constexpr std::string_view kPlaceholder = "${aggregate_type}";
constexpr std::array<std::string_view, 5> kReservedHeaders = {"id", "type", "aggregate_type",
                                                              "position", "epoch"};

bool matches(const std::optional<std::string>& wanted, std::string_view actual) {
  return !wanted || *wanted == actual;
}

bool has_placeholder(std::string_view topic) {
  return topic.find(kPlaceholder) != std::string_view::npos;
}

std::string expand(std::string_view topic, std::string_view aggregate_type) {
  std::string name;
  for (size_t at = topic.find(kPlaceholder); at != std::string_view::npos;
       at = topic.find(kPlaceholder)) {
    name += topic.substr(0, at);
    name += aggregate_type;
    topic.remove_prefix(at + kPlaceholder.size());
  }
  name += topic;
  return name;
}

std::string topic_name(const Route& route, std::string_view aggregate_type) {
  return route.topic_rule ? route.topic_rule->name(aggregate_type)
                          : expand(route.topic, aggregate_type);
}

std::optional<Cause> headers_refusal(const Event& event) {
  switch (event.headers_fault) {
    case HeadersFault::none:
      break;
    case HeadersFault::not_an_object:
      return Cause{"HEADERS_NOT_AN_OBJECT", "the headers column is not a JSON object"};
    case HeadersFault::too_many:
      return Cause{"TOO_MANY_HEADERS",
                   "the headers column has more headers than a record may carry"};
  }
  for (const core::Header& header : event.headers) {
    if (header.name.empty()) return Cause{"EMPTY_HEADER_NAME", "a header has an empty name"};
    if (reserved_header_name(header.name)) {
      return Cause{"RESERVED_HEADER", "header \"" + std::string(header.name) +
                                          "\" is written by the relay; an event may not bring it"};
    }
  }
  return std::nullopt;
}

}  // namespace

Route default_route() {
  Route route;
  route.name = "default";
  route.topic = "outbox.event.${aggregate_type}";
  return route;
}

bool legal_topic_name(std::string_view name) {
  if (name.empty() || name.size() > core::kTopicNameMax || name == "." || name == "..")
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool reserved_header_name(std::string_view name) {
  return std::find(kReservedHeaders.begin(), kReservedHeaders.end(), name) !=
         kReservedHeaders.end();
}

Router::Router(std::vector<Route> routes, core::Sink& sink, PreChecks checks)
    : routes_(std::move(routes)), sink_(sink), checks_(checks) {
  if (routes_.empty()) routes_.push_back(default_route());
  routes_.emplace_back().name = "(no route)";
  by_aggregate_type_.resize(routes_.size());
}

Decision Router::route(const Event& event) {
  const uint32_t none = static_cast<uint32_t>(routes_.size() - 1);
  uint32_t route = 0;
  while (route < none && !(matches(routes_[route].aggregate_type, event.aggregate_type) &&
                           matches(routes_[route].event_type, event.event_type))) {
    ++route;
  }
  if (route == none) {
    return reject(
        none, nullptr,
        Cause{"NO_ROUTE", "no route matches aggregate_type \"" + std::string(event.aggregate_type) +
                              "\", event_type \"" + std::string(event.event_type) + "\""});
  }
  const Destination* destination = destination_of(route, event);
  if (destination == nullptr) {
    const std::string name = topic_name(routes_[route], event.aggregate_type);
    if (legal_topic_name(name)) {
      return reject(route, nullptr,
                    Cause{"TOO_MANY_TOPICS", "topic \"" + name + "\" would be number " +
                                                 std::to_string(core::kDestinationsMax + 1) +
                                                 " of this pipeline"});
    }
    return reject(route, nullptr,
                  Cause{"ILLEGAL_TOPIC", "\"" + name.substr(0, 300) +
                                             "\" is no topic name: 1 to 249 of [a-zA-Z0-9._-]"});
  }
  if (auto cause = headers_refusal(event)) return reject(route, destination, std::move(*cause));
  return Decision{Verdict::deliver, route, destination, nullptr};
}

Decision Router::reject(uint32_t route, const Destination* destination, Cause cause) const {
  return Decision{Verdict::reject, route, destination, std::make_unique<Cause>(std::move(cause))};
}

const Destination* Router::destination_of(uint32_t route, const Event& event) {
  const Route& rule = routes_[route];
  const bool fixed = !rule.topic_rule && !has_placeholder(rule.topic);
  const std::string_view key = fixed ? std::string_view() : event.aggregate_type;
  Destinations& known = by_aggregate_type_[route];
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const std::string name = topic_name(rule, event.aggregate_type);
  if (!legal_topic_name(name) || destinations_ == core::kDestinationsMax) return nullptr;
  ++destinations_;
  return known.emplace(std::string(key), &sink_.destination(name)).first->second;
}

std::optional<Cause> Router::refusal(const Event& event, uint32_t route,
                                     const Destination& destination, core::Now now) const {
  if (checks_ == PreChecks::off) return std::nullopt;
  switch (destination.state) {
    case DestinationState::unknown:
      return std::nullopt;
    case DestinationState::usable:
      break;
    case DestinationState::missing:
      return Cause{"UNKNOWN_TOPIC", "topic \"" + destination.name + "\" does not exist"};
    case DestinationState::denied:
      return Cause{"TOPIC_AUTHORIZATION_FAILED",
                   "the relay may not write to topic \"" + destination.name + "\""};
  }
  const size_t bytes = event.bytes() + destination.record_overhead_bytes;
  if (destination.record_bytes_max != 0 && bytes > destination.record_bytes_max &&
      routes_[route].weighing == Weighing::by_event) {
    return Cause{"MSG_SIZE_TOO_LARGE", "the record weighs at least " + std::to_string(bytes) +
                                           " bytes, topic \"" + destination.name + "\" takes " +
                                           std::to_string(destination.record_bytes_max) +
                                           " (max.message.bytes)"};
  }
  if (destination.key_required && !event.aggregate_id) {
    return Cause{"KEY_REQUIRED", "topic \"" + destination.name +
                                     "\" is compacted and the event has no aggregate_id"};
  }
  // Compared without a sum or difference that an extreme commit time could overflow.
  using std::chrono::microseconds;
  const auto ahead_max = std::chrono::duration_cast<microseconds>(destination.timestamp_ahead_max);
  if (destination.timestamp_ahead_max != core::Duration::max() &&
      event.commit_time.us > now.wall.us &&
      event.commit_time.us - now.wall.us > ahead_max.count()) {
    return Cause{"INVALID_TIMESTAMP",
                 "the commit time lies " +
                     std::to_string((event.commit_time.us - now.wall.us) / 1'000'000) +
                     " s ahead of this clock, more than topic \"" + destination.name + "\" takes"};
  }
  return std::nullopt;
}

}  // namespace outbox::flow
