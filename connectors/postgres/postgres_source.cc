#include "connectors/postgres/postgres_source.h"

namespace outbox::postgres {

PostgresPipeline make_postgres_source(const PostgresOptions& options, const LetterOptions& letters,
                                      core::ChunkPool& pool) {
  PostgresPipeline made;
  if (options.mode == Mode::status) {
    const auto shared = std::make_shared<SharedMarks>();
    made.status = std::make_unique<StatusSource>(options, pool, shared);
    made.marks = std::make_unique<StatusStore>(shared);
    return made;
  }
  const auto shared = std::make_shared<SharedSlot>();
  switch (options.mode) {
    case Mode::wal:
      made.wal = std::make_unique<WalSource>(options, pool, shared);
      break;
    case Mode::poll:
      made.poll = std::make_unique<PollSource>(options, pool, shared);
      break;
    case Mode::status:
      break;
  }
  made.progress = std::make_unique<ProgressStore>(options, shared);
  made.letters = std::make_unique<LetterJournal>(options, letters, shared);
  made.replay = std::make_unique<ReplaySource>(options, letters, pool, shared);
  return made;
}

}  // namespace outbox::postgres
