#include "connectors/postgres/postgres_source.h"

namespace outbox::postgres {

PostgresPipeline make_postgres_source(const PostgresOptions& options, core::ChunkPool& pool) {
  const auto shared = std::make_shared<SharedSlot>();
  PostgresPipeline made;
  switch (options.mode) {
    case Mode::wal:
      made.wal = std::make_unique<WalSource>(options, pool, shared);
      break;
    case Mode::poll:
      made.poll = std::make_unique<PollSource>(options, pool, shared);
      break;
  }
  made.progress = std::make_unique<ProgressStore>(options, shared);
  return made;
}

}  // namespace outbox::postgres
