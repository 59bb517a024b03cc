#include "connectors/postgres/postgres_source.h"

namespace outbox::postgres {

PostgresPipeline make_postgres_source(const PostgresOptions& options, core::ChunkPool& pool) {
  const auto shared = std::make_shared<SharedSlot>();
  return {std::make_unique<WalSource>(options, pool, shared),
          std::make_unique<ProgressStore>(options, shared)};
}

}  // namespace outbox::postgres
