#include "relay/app/config/cross_checks.h"

#include <algorithm>
#include <string_view>

#include "relay/core/suggest.h"

namespace outbox::app {
namespace {

std::string at_line(Place place) { return "line " + std::to_string(place.line); }

template <typename Placed>
std::vector<std::string> names_of(const std::vector<Placed>& sections) {
  std::vector<std::string> names;
  for (const Placed& section : sections) names.push_back(section.config.name);
  return names;
}

void check_target(const char* kind, const Text& name, const std::vector<std::string>& known,
                  LoadContext& context) {
  if (name.value.empty()) return;
  if (std::find(known.begin(), known.end(), name.value) != known.end()) return;
  std::string remedy = core::did_you_mean(name.shown, known);
  if (remedy.empty()) {
    remedy = known.empty() ? std::string("Add a section [") + kind + "." + name.shown + "]."
                           : "There is " + listed(known) + ".";
  }
  context.note(name.place, std::string("no ") + kind + " is called " + quoted(name.shown), remedy);
}

/// Slots belong to a server, not to a database: what tells two servers apart in two URLs.
std::string_view server_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  std::string_view authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  const size_t user_end = authority.rfind('@');
  return user_end == std::string_view::npos ? authority : authority.substr(user_end + 1);
}

/// A row has one status: two pipelines that mark it would each send it, or one of them.
void check_marked_tables(const std::vector<PlacedSource>& sources, LoadContext& context) {
  for (size_t i = 0; i < sources.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const SourceConfig& a = sources[j].config;
      const SourceConfig& b = sources[i].config;
      if (a.mode != SourceMode::status || b.mode != SourceMode::status) continue;
      if (!(a.url == b.url) || a.table_schema != b.table_schema || a.table_name != b.table_name) {
        continue;
      }
      context.note(
          sources[i].place,
          "the sources " + quoted(a.name) + " and " + quoted(b.name) + " poll one table by status",
          "A row has one status. Use one source, and routes that tell the events apart.");
      break;
    }
  }
}

/// Whether every event that `later` matches is matched by `earlier` too.
bool covers(const flow::Route& earlier, const flow::Route& later) {
  const auto field = [](const std::optional<std::string>& a, const std::optional<std::string>& b) {
    return !a || a == b;
  };
  return field(earlier.aggregate_type, later.aggregate_type) &&
         field(earlier.event_type, later.event_type);
}

}  // namespace

void check_references(const Sections& sections, LoadContext& context) {
  const auto sources = names_of(sections.sources);
  const auto sinks = names_of(sections.sinks);
  const auto& pipelines = sections.pipelines;
  for (size_t i = 0; i < pipelines.size(); ++i) {
    const PipelineConfig& pipeline = pipelines[i].config;
    check_target("source", pipelines[i].source, sources, context);
    check_target("sink", pipelines[i].sink, sinks, context);
    for (size_t j = 0; j < i; ++j) {
      if (pipeline.name.empty() || pipelines[j].config.name != pipeline.name) continue;
      context.note(pipelines[i].name.place,
                   "two pipelines are called " + quoted(pipelines[i].name.shown) +
                       ", the other one in " + at_line(pipelines[j].place),
                   "Progress, metrics and dead letters go by the name: give each its own.");
      break;
    }
  }
}

void check_slots(const Sections& sections, LoadContext& context) {
  const auto& sources = sections.sources;
  for (size_t i = 0; i < sources.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const SourceConfig& a = sources[j].config;
      const SourceConfig& b = sources[i].config;
      if (a.slot != b.slot || server_of(a.url.reveal()) != server_of(b.url.reveal())) continue;
      context.note(sources[i].slot.place,
                   "the sources " + quoted(a.name) + " and " + quoted(b.name) + " share the slot " +
                       quoted(sources[i].slot.shown) + " on one server",
                   "A slot serves one reader. Give each source a slot of its own.");
      break;
    }
  }
  check_marked_tables(sources, context);
  const auto& pipelines = sections.pipelines;
  for (size_t i = 0; i < pipelines.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const std::string& source = pipelines[i].config.source;
      if (source.empty() || source != pipelines[j].config.source) continue;
      context.note(pipelines[i].source.place,
                   "the source " + quoted(pipelines[i].source.shown) +
                       " already feeds the pipeline in " + at_line(pipelines[j].place) +
                       ", and its slot serves one reader",
                   "For a second destination add a second source with a slot of its own.");
      break;
    }
  }
}

void check_routes(const PlacedPipeline& pipeline, LoadContext& context) {
  const auto& routes = pipeline.config.routes;
  for (size_t i = 0; i < pipeline.route_places.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!covers(routes[j], routes[i])) continue;
      const bool same = covers(routes[i], routes[j]);
      context.note(pipeline.route_places[i],
                   same ? "this route matches the same events as the one in " +
                              at_line(pipeline.route_places[j])
                        : "this route is never reached: the one in " +
                              at_line(pipeline.route_places[j]) + " takes all its events",
                   same ? "First match wins; remove one of them."
                        : "First match wins; put the narrower one first.");
      break;
    }
  }
}

// A row that is marked FAIL is its own dead letter and has a copy in a topic: there is none here.
void check_projections(const Sections& sections, LoadContext& context) {
  for (const PlacedPipeline& pipeline : sections.pipelines) {
    const auto source = std::find_if(
        sections.sources.begin(), sections.sources.end(),
        [&](const PlacedSource& one) { return one.config.name == pipeline.config.source; });
    const auto sink = std::find_if(
        sections.sinks.begin(), sections.sinks.end(),
        [&](const PlacedSink& one) { return one.config.name == pipeline.config.sink; });
    if (source == sections.sources.end() || sink == sections.sinks.end()) continue;
    if (source->config.mode != SourceMode::status) continue;
    if (sink->config.type != SinkType::postgres) continue;
    context.note(
        pipeline.sink.place,
        "a source that is polled by status cannot feed the Postgres sink " +
            quoted(pipeline.sink.shown),
        "Use an outbox with a seq column and mode = \"wal\" or \"poll\", or a Kafka sink.");
  }
}

// Rows that are polled by status have their state in the row: FAIL is their dead letter.
void check_failures(const Sections& sections, LoadContext& context) {
  for (const PlacedPipeline& pipeline : sections.pipelines) {
    const bool by_status = std::any_of(sections.sources.begin(), sections.sources.end(),
                                       [&](const PlacedSource& source) {
                                         return source.config.name == pipeline.config.source &&
                                                source.config.mode == SourceMode::status;
                                       });
    if (!by_status) continue;
    const auto& routes = pipeline.config.routes;
    for (size_t i = 0; i < pipeline.route_places.size(); ++i) {
      if (pipeline.config.replays[i] != ReplayConfig{}) {
        context.note(
            pipeline.route_places[i], "\"replay\" of a source that is polled by status",
            "It has no dead letters that are replayed: set FAIL back to READY. Remove it.");
      }
      const bool holds = routes[i].on_failure == flow::OnFailure::hold;
      if (!holds && routes[i].on_failure != flow::OnFailure::park) continue;
      context.note(
          pipeline.route_places[i],
          std::string("on_failure = \"") + (holds ? "hold" : "park") +
              "\" of a source that is polled by status",
          "A refused row is marked FAIL there, and its key goes on: use \"dead-letter\" or "
          "\"skip\".");
    }
  }
}

}  // namespace outbox::app
