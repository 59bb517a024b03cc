#pragma once
// Reads the sections of a config file into their structs, each with the places that cross checks
// point at. A reader notes what is wrong and goes on, so what comes back is complete but only good
// when nothing was noted.

#include <string>
#include <vector>

#include "relay/app/config/config.h"
#include "relay/app/config/load.h"
#include "relay/app/config/table_reader.h"

namespace outbox::app {

struct PlacedSource {
  SourceConfig config;
  Place place;  // of the section
  Text slot;    // for what messages may show of it
};

struct PlacedSink {
  SinkConfig config;
  Place place;
};

struct PlacedPipeline {
  PipelineConfig config;
  Place place;
  Text name;  // as the next two, for what messages may show of it
  Text source;
  Text sink;
  std::vector<Place> route_places;  // empty when the file has no route
};

AdminConfig read_admin(const Entry& section, LoadContext& context);
PlacedSource read_source(const Entry& section, LoadContext& context);
PlacedSink read_sink(const Entry& section, LoadContext& context, const PropertyCheck& check);
/// `sinks`: what a route may say depends on where it leads.
PlacedPipeline read_pipeline(const Node& table, const std::vector<PlacedSink>& sinks,
                             LoadContext& context);

/// Only the shape of a Postgres URL: libpq judges the rest when it connects. Never quotes it.
void check_url(const Text& url, const std::string& title, LoadContext& context);

/// Names of sources, sinks and pipelines: they end up in topics, metrics and progress rows.
void check_name(const std::string& name, const std::string& title, Place place,
                LoadContext& context);

}  // namespace outbox::app
