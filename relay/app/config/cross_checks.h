#pragma once
// What only shows when all sections are seen together: references without a target, one replication
// slot used twice, routes that nothing can reach, or that ask of a source what it cannot give.

#include <vector>

#include "relay/app/config/sections.h"

namespace outbox::app {

struct Sections {
  std::vector<PlacedSource> sources;
  std::vector<PlacedSink> sinks;
  std::vector<PlacedPipeline> pipelines;
};

void check_references(const Sections& sections, LoadContext& context);
void check_slots(const Sections& sections, LoadContext& context);
void check_routes(const PlacedPipeline& pipeline, LoadContext& context);
void check_failures(const Sections& sections, LoadContext& context);
void check_projections(const Sections& sections, LoadContext& context);

}  // namespace outbox::app
