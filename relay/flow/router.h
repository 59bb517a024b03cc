#pragma once
// Router: where an event goes, from the event alone (route) and from what the sink last read of the
// destination (refusal). Whatever can be known before a record enters a batch is refused here,
// since one bad record spoils its whole batch at the broker.
//
// Owner: the wiring. Thread: the pipeline's. No I/O. The sink outlives the router.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/core/event.h"
#include "relay/core/sink.h"

namespace outbox::flow {

/// What happens to an event that cannot be delivered.
enum class OnFailure : uint8_t {
  skip,
  dead_letter,  // it alone goes to the journal
  hold,         // with its key's later events behind it, tried again by itself
  park,         // the same, until an operator acts
};

/// A topic made of the aggregate type by a rule of its own (a regular expression). Two are equal
/// when their texts are.
struct TopicRule {
  std::string text;
  std::function<std::string(std::string_view aggregate_type)> name;
  bool operator==(const TopicRule& other) const { return text == other.text; }
};

/// Who knows before sending what a record weighs.
enum class Weighing : uint8_t {
  by_event,  // the record holds what the event holds
  by_sink,   // it has another format; the sink refuses what is too large
};

/// One rule of the config. First match wins; an absent field matches everything.
struct Route {
  std::string name;
  std::optional<std::string> aggregate_type;
  std::optional<std::string> event_type;
  std::string topic;  // may hold ${aggregate_type}, once or more
  OnFailure on_failure = OnFailure::dead_letter;
  std::optional<TopicRule> topic_rule =
      std::nullopt;  // instead of `topic`, which then only names the route
  Weighing weighing = Weighing::by_event;
  bool operator==(const Route&) const = default;
};

/// The route of a pipeline without routes: one topic per aggregate type.
Route default_route();

enum class Verdict : uint8_t { deliver, reject };

/// Where an event goes. `route` indexes Router::routes(); `destination` is null when no topic fits.
struct Decision {
  Verdict verdict = Verdict::deliver;
  uint32_t route = 0;
  const core::Destination* destination = nullptr;
  std::unique_ptr<core::Cause> cause;  // of a reject
};

/// Tests that feed the broker what it must refuse switch the checks off; nothing that ships does.
enum class PreChecks : uint8_t { on, off };

class Router {
 public:
  /// An empty table gets default_route(). Routes that match nothing fall through to a last entry
  /// "(no route)", which rejects.
  Router(std::vector<Route> routes, core::Sink& sink, PreChecks checks = PreChecks::on);

  /// Never fails: what has no route, or headers or a topic name that no broker takes, is a reject
  /// with its cause.
  Decision route(const core::Event& event);

  /// Why `destination` would refuse this event for certain; nullopt when it may pass. Facts that
  /// are not known yet do not refuse.
  std::optional<core::Cause> refusal(const core::Event& event, uint32_t route,
                                     const core::Destination& destination, core::Now now) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Destinations =
      std::unordered_map<std::string, const core::Destination*, TextHash, std::equal_to<>>;

  const core::Destination* destination_of(uint32_t route, const core::Event& event);
  Decision reject(uint32_t route, const core::Destination* destination, core::Cause cause) const;

  std::vector<Route> routes_;
  core::Sink& sink_;
  PreChecks checks_;
  std::vector<Destinations>
      by_aggregate_type_;  // one per route; routes without a placeholder use the key ""
  size_t destinations_ = 0;
};

/// Kafka's rules: 1-249 characters of [a-zA-Z0-9._-], neither "." nor "..".
bool legal_topic_name(std::string_view name);

/// Header names that the relay writes itself; events may not bring them.
bool reserved_header_name(std::string_view name);

}  // namespace outbox::flow
