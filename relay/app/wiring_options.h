#pragma once
// What the config says, as the connectors take it.

#include "relay/app/config/config.h"
#include "relay/app/log/log.h"

namespace outbox::kafka {
struct ClientOptions;
}

namespace outbox::postgres {
struct PostgresOptions;
struct LetterOptions;
struct ProjectionOptions;
}  // namespace outbox::postgres

namespace outbox::app {

postgres::PostgresOptions postgres_options(const SourceConfig& source,
                                           const PipelineConfig& pipeline);

postgres::LetterOptions letter_options(const PipelineConfig& pipeline, const SinkConfig& sink);

postgres::ProjectionOptions projection_options(const SinkConfig& sink,
                                               const PipelineConfig& pipeline);

/// `log` takes what the client library says, and outlives the client; null: nobody listens.
kafka::ClientOptions kafka_options(const SinkConfig& sink, Log* log);

}  // namespace outbox::app
