#pragma once
// The SQL of a projection: what is done with one event, and what must be there for it. Pure.

#include <string>

#include "connectors/postgres/projection_options.h"

namespace outbox::postgres {

/// For PREPARE: one event, received and written in one statement. Parameters: consumer, id,
/// aggregate_type, aggregate_id, event_type, payload, headers, commit time in us since 1970.
std::string projection_statement(const ProjectionOptions& options);

/// What makes the table or the function, for people.
std::string projection_ddl(const ProjectionOptions& options);

/// What the login needs, for people.
std::string projection_grants(const ProjectionOptions& options, const std::string& login);

}  // namespace outbox::postgres
