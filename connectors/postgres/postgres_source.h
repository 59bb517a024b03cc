#pragma once
// The way in: a Postgres WAL source and the store of its progress, made together because they share
// the slot. Constructing touches no network; the first poll() of each begins to connect.
//
//   PostgresPipeline postgres = make_postgres_source(options, pool);
//   postgres.source     core::Source, and lease(), take_notices(), close(), counters()
//   postgres.progress   core::Checkpoint, and facts() for metrics and lag
//
// Thread: both are used from one pipeline's thread. Destroy them after everything that holds events
// or chunks, and before the pool.

#include <memory>

#include "connectors/postgres/options.h"
#include "connectors/postgres/progress_store.h"
#include "connectors/postgres/wal_source.h"
#include "relay/core/chunk.h"

namespace outbox::postgres {

struct PostgresPipeline {
  std::unique_ptr<WalSource> source;
  std::unique_ptr<ProgressStore> progress;
};

PostgresPipeline make_postgres_source(const PostgresOptions& options, core::ChunkPool& pool);

}  // namespace outbox::postgres
