#pragma once
// EventBuilder: gives a row's bytes a home in a chunk and makes the event's views point there. A
// small row is copied into the pooled chunk at hand; a row larger than half a chunk keeps the
// memory that libpq allocated for it, so that a large row is never copied a third time.
//
// Thread: the pipeline's. Allocates nothing per event but for large rows.

#include <cstddef>
#include <string_view>

#include "connectors/postgres/detail/copy_buffer.h"
#include "connectors/postgres/detail/headers_parser.h"
#include "connectors/postgres/detail/outbox_table.h"
#include "relay/core/chunk.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class EventBuilder {
 public:
  explicit EventBuilder(core::ChunkPool& pool) : pool_(pool) {}

  /// Fills `item` from `row`, whose views point into `message` (which is taken over if it is large)
  /// or into its scratch. Leaves position and commit time to the caller.
  void build(const OutboxRow& row, CopyBuffer& message, core::Item& item);

  /// A chunk with room for `bytes`, held by `item`, for an event whose bytes are made there.
  core::Chunk& place(size_t bytes, core::Item& item);

 private:
  void house(CopyBuffer& message, size_t extra_bytes, core::Item& item);
  std::string_view keep(std::string_view view, core::Chunk& chunk) const;
  void place_headers(core::Event& event, core::Chunk& chunk);
  void place_extras(const OutboxRow& row, core::Event& event, core::Chunk& chunk);

  core::ChunkPool& pool_;
  core::ChunkRef current_;
  HeadersParser headers_;

  // The message being built: where its bytes were and by how much its copy is moved.
  std::string_view original_;
  const char* home_ = nullptr;
};

}  // namespace outbox::postgres
