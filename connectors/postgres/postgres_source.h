#pragma once
// The way in: a Postgres source and the store of its progress, made together because they share who
// holds the pipeline. Constructing touches no network; the first poll() of each begins to connect.
//
//   PostgresPipeline postgres = make_postgres_source(options, pool);
//   postgres.wal, .poll  the source of options.mode, the other is null: a core::Source, with
//   lease(),
//                        facts or counters, take_notices(), close()
//   postgres.progress    core::Checkpoint, and in mode wal facts() for metrics and lag
//   postgres.letters, .replay  the journal of dead letters, and what of them is delivered again
//   postgres.status, .marks  the first two in Mode::status; the others are null then
//
// Thread: both are used from one pipeline's thread. Destroy them after everything that holds events
// or chunks, and before the pool.

#include <memory>

#include "connectors/postgres/letter_journal.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/poll_source.h"
#include "connectors/postgres/progress_store.h"
#include "connectors/postgres/replay_source.h"
#include "connectors/postgres/status_source.h"
#include "connectors/postgres/status_store.h"
#include "connectors/postgres/wal_source.h"
#include "relay/core/chunk.h"

namespace outbox::postgres {

struct PostgresPipeline {
  std::unique_ptr<WalSource> wal;
  std::unique_ptr<PollSource> poll;
  std::unique_ptr<ProgressStore> progress;
  std::unique_ptr<LetterJournal> letters;
  std::unique_ptr<ReplaySource> replay;

  std::unique_ptr<StatusSource> status;
  std::unique_ptr<StatusStore> marks;
};

PostgresPipeline make_postgres_source(const PostgresOptions& options, const LetterOptions& letters,
                                      core::ChunkPool& pool);

}  // namespace outbox::postgres
