#include "relay/app/config/config.h"

#include "relay/core/assert.h"

namespace outbox::app {
namespace {

template <typename T>
const T& named(const std::vector<T>& all, const std::string& name) {
  for (const T& one : all) {
    if (one.name == name) return one;
  }
  OUTBOX_ASSERT(!"a loaded config names only what it holds");
  return all.front();
}

}  // namespace

const SourceConfig& Config::source_of(const PipelineConfig& pipeline) const {
  return named(sources, pipeline.source);
}

const SinkConfig& Config::sink_of(const PipelineConfig& pipeline) const {
  return named(sinks, pipeline.sink);
}

}  // namespace outbox::app
