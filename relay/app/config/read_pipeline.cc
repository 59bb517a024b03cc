#include <algorithm>
#include <bit>
#include <string_view>

#include "relay/app/config/read_format.h"
#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

constexpr std::string_view kPlaceholder = "${aggregate_type}";
constexpr std::string_view kDeadLetterSuffix = ".dead-letter";

/// A topic must leave room for the name of its dead-letter topic.
void check_topic(const Text& topic, const std::string& title, LoadContext& context) {
  std::string sample = topic.value;
  for (size_t at = sample.find(kPlaceholder); at != std::string::npos;
       at = sample.find(kPlaceholder)) {
    sample.replace(at, kPlaceholder.size(), "x");
  }
  constexpr size_t kLengthMax = core::kTopicNameMax - kDeadLetterSuffix.size();
  if (sample.size() > kLengthMax) {
    context.note(topic.place,
                 "\"topic\" in " + title + " has " + std::to_string(sample.size()) + " characters",
                 "A topic has at most 249, and .dead-letter must fit behind it: use at most " +
                     std::to_string(kLengthMax) + ".");
  } else if (!flow::legal_topic_name(sample)) {
    context.note(
        topic.place,
        "topic = " + quoted(topic.shown) + " in " + title + " is not a name that Kafka takes",
        "Letters, digits, \".\", \"_\" and \"-\" only, and neither \".\" nor \"..\".");
  }
}

void read_match(TableReader& reader, flow::Route& route) {
  const Node* match = reader.table("match");
  if (match == nullptr) return;
  TableReader fields(*match, match->place, "match of " + reader.title(), reader.context());
  const auto read = [&](const std::string& key) -> std::optional<std::string> {
    const auto text = fields.text(key, Presence::optional, "\"order\"");
    if (!text) return std::nullopt;
    if (text->value.empty()) {
      reader.context().note(text->place, "\"" + key + "\" in " + fields.title() + " is empty",
                            "No event has an empty one. Leave the key out to match every event.");
    }
    return text->value;
  };
  route.aggregate_type = read("aggregate_type");
  route.event_type = read("event_type");
  fields.later({"header", "region"});
  fields.finish();
}

void read_topic(TableReader& reader, flow::Route& route) {
  const bool by_rule = reader.has("topic_regex") || reader.has("topic_replacement");
  route.topic_rule = read_topic_rule(reader);
  if (route.topic_rule) route.topic = route.topic_rule->text;
  const auto topic = reader.text("topic", by_rule ? Presence::optional : Presence::required,
                                 "\"order.events\"", Placeholders::per_event);
  if (!topic) return;
  if (by_rule) {
    reader.context().note(topic->place,
                          "\"topic\" in " + reader.title() +
                              " and topic_regex exclude "
                              "each other",
                          "Remove one of them.");
    return;
  }
  check_topic(*topic, reader.title(), reader.context());
  route.topic = topic->value;
}

// A Postgres sink has one target, which its section names.
void read_target(TableReader& reader, flow::Route& route, const SinkConfig& sink) {
  reader.text("topic", Presence::optional, "", Placeholders::per_event);
  for (const char* key : {"topic", "topic_regex", "topic_replacement", "format"}) {
    if (!reader.has(key)) continue;
    reader.context().note(reader.place_of(key),
                          quoted(key) + " in " + reader.title() + " is for Kafka, and the sink " +
                              quoted(sink.name) + " is a Postgres database",
                          "Remove it: every event goes to " + sink.target() + ".");
  }
  route.topic = sink.target();
}

flow::OnFailure read_on_failure(TableReader& reader) {
  const std::string choice =
      reader.choice("on_failure", {"hold", "park", "skip", "dead-letter"}, {}, "dead-letter");
  if (choice == "hold") return flow::OnFailure::hold;
  if (choice == "park") return flow::OnFailure::park;
  return choice == "skip" ? flow::OnFailure::skip : flow::OnFailure::dead_letter;
}

HoldConfig read_hold(TableReader& reader, flow::OnFailure on_failure) {
  HoldConfig hold;
  const Node* table = reader.table("hold");
  if (table == nullptr) return hold;
  if (on_failure != flow::OnFailure::hold) {
    reader.context().note(table->place,
                          "\"hold\" in " + reader.title() + " says how held keys are tried again",
                          "Add on_failure = \"hold\", or remove it.");
  }
  TableReader fields(*table, table->place, "hold of " + reader.title(), reader.context());
  hold.first =
      std::chrono::milliseconds(fields.integer("first_ms", 10, 86'400'000, hold.first.count()));
  hold.most = std::chrono::milliseconds(fields.integer(
      "most_ms", hold.first.count(), 86'400'000, std::max(hold.first.count(), hold.most.count())));
  hold.attempts_max = static_cast<uint32_t>(
      fields.integer("attempts_max", 1, 1'000'000, int64_t{hold.attempts_max}));
  hold.give_up =
      std::chrono::seconds(fields.integer("give_up_s", 1, 365 * 86'400, hold.give_up.count()));
  fields.finish();
  return hold;
}

ReplayConfig read_replay(TableReader& reader) {
  ReplayConfig replay;
  const Node* table = reader.table("replay");
  if (table == nullptr) return replay;
  TableReader fields(*table, table->place, "replay of " + reader.title(), reader.context());
  const auto number = [&fields](const char* key, int64_t least, uint32_t fallback) {
    return static_cast<uint32_t>(fields.integer(key, least, 1'000'000, int64_t{fallback}));
  };
  replay.second_approver = fields.truth("second_approver", false);
  replay.replays_max = number("replays_max", 1, replay.replays_max);
  replay.automatic_after = std::chrono::seconds(fields.integer("automatic_after_s", 0, 86'400, 0));
  replay.automatic_first_per_s = number("automatic_first_per_s", 1, replay.automatic_first_per_s);
  replay.automatic_most_per_s =
      number("automatic_most_per_s", int64_t{replay.automatic_first_per_s},
             std::max(replay.automatic_first_per_s, replay.automatic_most_per_s));
  replay.automatic_failures_max =
      number("automatic_failures_max", 1, replay.automatic_failures_max);
  replay.automatic_replays_max = number("automatic_replays_max", 1, replay.automatic_replays_max);
  fields.finish();
  return replay;
}

struct ReadRoute {
  flow::Route route;
  RecordFormat format;
  HoldConfig hold;
  ReplayConfig replay;
};

/// `projection`: the sink, if it is a Postgres database; else null.
ReadRoute read_route(const Node& table, const std::string& title, const SinkConfig* projection,
                     LoadContext& context) {
  flow::Route route;
  TableReader reader(table, table.place, title, context);
  read_match(reader, route);
  if (projection != nullptr) {
    read_target(reader, route, *projection);
  } else {
    read_topic(reader, route);
  }
  route.on_failure = read_on_failure(reader);
  const HoldConfig hold = read_hold(reader, route.on_failure);
  const ReplayConfig replay = read_replay(reader);
  RecordFormat format = read_format(reader);
  if (!std::holds_alternative<PlainFormatConfig>(format)) {
    route.weighing = flow::Weighing::by_sink;
  }
  route.name = route.topic;
  reader.later({"key", "regions", "hold_memory_ms", "harmless_repeat", "endpoint"});
  reader.finish();
  return {std::move(route), std::move(format), hold, replay};
}

/// A route's name labels its metrics, so two routes to one topic need two names.
void make_names_unique(std::vector<flow::Route>& routes) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const auto same =
        std::count_if(routes.begin(), routes.begin() + static_cast<ptrdiff_t>(i),
                      [&](const flow::Route& r) { return r.topic == routes[i].topic; });
    if (same > 0) routes[i].name += '#' + std::to_string(same + 1);
  }
}

void read_routes(TableReader& reader, const SinkConfig* projection, PlacedPipeline& placed) {
  const Node* routes = reader.tables("route");
  if (routes == nullptr || routes->items.empty()) {
    placed.config.routes.push_back(flow::default_route());
    if (projection != nullptr) placed.config.routes.back().topic = projection->target();
    placed.config.formats.emplace_back();
    placed.config.holds.emplace_back();
    placed.config.replays.emplace_back();
    return;
  }
  for (size_t i = 0; i < routes->items.size(); ++i) {
    const std::string title = "[[pipeline.route]] " + std::to_string(i + 1) +
                              (placed.name.shown.empty() ? "" : " of " + placed.name.shown);
    ReadRoute read = read_route(routes->items[i], title, projection, reader.context());
    placed.config.routes.push_back(std::move(read.route));
    placed.config.formats.push_back(std::move(read.format));
    placed.config.holds.push_back(read.hold);
    placed.config.replays.push_back(read.replay);
    placed.route_places.push_back(routes->items[i].place);
  }
  make_names_unique(placed.config.routes);
}

const SinkConfig* projection_called(const std::string& name, const std::vector<PlacedSink>& sinks) {
  for (const PlacedSink& sink : sinks) {
    if (sink.config.name == name && sink.config.type == SinkType::postgres) return &sink.config;
  }
  return nullptr;
}

flow::BrakeOptions read_brake(TableReader& reader) {
  flow::BrakeOptions brake;
  const Node* table = reader.table("brake");
  if (table == nullptr) return brake;
  TableReader fields(*table, table->place, "brake of " + reader.title(), reader.context());
  brake.window_events =
      static_cast<uint64_t>(fields.integer("window_events", 0, 1'000'000, int64_t{10'000}));
  const auto half = static_cast<int64_t>(brake.window_events / 2);
  const auto most = std::max(static_cast<int64_t>(brake.window_events) - 1, int64_t{0});
  brake.refused_max = static_cast<uint64_t>(fields.integer("refused_max", 0, most, half));
  fields.finish();
  return brake;
}

}  // namespace

PlacedPipeline read_pipeline(const Node& table, const std::vector<PlacedSink>& sinks,
                             LoadContext& context) {
  PlacedPipeline placed;
  placed.place = table.place;
  PipelineConfig& pipeline = placed.config;
  TableReader reader(table, table.place, "[[pipeline]]", context);
  const auto read_name = [&](const std::string& key, const std::string& example) {
    return reader.text(key, Presence::required, example).value_or(Text{"", "", table.place});
  };
  placed.name = read_name("name", "\"orders\"");
  placed.source = read_name("source", "\"shop\"");
  placed.sink = read_name("sink", "\"kafka\"");
  pipeline.name = placed.name.value;
  pipeline.source = placed.source.value;
  pipeline.sink = placed.sink.value;
  if (!pipeline.name.empty()) {
    check_name(pipeline.name, "[[pipeline]]", placed.name.place, context);
  }
  read_routes(reader, projection_called(pipeline.sink, sinks), placed);
  pipeline.window_events = std::bit_ceil(static_cast<size_t>(
      reader.integer("window_events", 64, 1 << 20, int64_t{core::kWindowCells})));
  pipeline.window_bytes = static_cast<size_t>(
      reader.integer("window_bytes", 64 * 1024, int64_t{1} << 30, int64_t{core::kWindowBytes}));
  pipeline.brake = read_brake(reader);
  pipeline.held_retries_per_s = static_cast<uint32_t>(
      reader.integer("held_retries_per_s", 1, 100'000, int64_t{pipeline.held_retries_per_s}));
  pipeline.drain_timeout =
      std::chrono::milliseconds(reader.integer("drain_timeout_ms", 0, 600'000, 10'000));
  reader.later({"lease", "schedule", "regions", "hold_memory_ms"});
  reader.finish();
  return placed;
}

}  // namespace outbox::app
