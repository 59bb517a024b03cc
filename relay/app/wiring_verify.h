#pragma once
// Part of the wiring: source and sink of a pipeline, read for `outbox verify`.
//
// What makes a comparison beside live traffic sound is the order of reading. First the number up to
// which every committed row is settled: each such row has left its record, dead letter or skip
// behind by then. Then the ends of the topics: up to there they are read. So a settled row without
// a record is lost, whatever goes on meanwhile. Last the rows behind that number: a record up to
// the ends belongs to one of them, or to a settled one, or to none.

#include "relay/app/verification.h"
#include "relay/core/result.h"

namespace outbox::kafka {
struct ClientOptions;
}  // namespace outbox::kafka

namespace outbox::postgres {
struct PostgresOptions;
}  // namespace outbox::postgres

namespace outbox::app {

/// Waits for servers, for as long as there is something to read. Thread: any. Errors with fault
/// `retry`: a server cannot be reached; kNothingToCompare, kCannotCompare.
core::Result<VerifyOutcome> verify_pipeline(const VerifyInputs& inputs,
                                            const postgres::PostgresOptions& source,
                                            const kafka::ClientOptions& sink);

}  // namespace outbox::app
