#pragma once
// What a ProjectionSink needs to know. Filled in from [sink.<name>] by the wiring; a plain value.

#include <cstdint>
#include <string>

#include "connectors/postgres/options.h"

namespace outbox::postgres {

enum class ProjectionKind : uint8_t {
  table,     // a read model: one row a key, the newest event of it
  function,  // called for each event
};

struct ProjectionOptions {
  /// Of the database that is written to; for libpq, with its password: never printed.
  std::string url;
  /// Whom events are received for in outbox.inbox there; also in application_name.
  std::string pipeline;
  ProjectionKind kind = ProjectionKind::table;
  /// The table or the function. As text it is the name of the one destination.
  TableName target;
  uint64_t jitter_seed = 0;
};

}  // namespace outbox::postgres
