#pragma once
// What `outbox doctor` finds of the database that a projection writes to: the inbox, the table or
// function, the rights. Connects, looks, changes nothing, and waits for the answers. Never throws.

#include <vector>

#include "connectors/postgres/finding.h"
#include "connectors/postgres/projection_options.h"

namespace outbox::postgres {

/// An empty list: nothing stands in the way.
std::vector<Finding> inspect_projection(const ProjectionOptions& options);

}  // namespace outbox::postgres
