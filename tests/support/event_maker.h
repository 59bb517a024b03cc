#pragma once
// Events for tests. An EventSpec owns its text; make_item() copies it into chunks, the way a source
// hands events out.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "relay/core/chunk.h"
#include "relay/core/event.h"
#include "relay/core/source.h"

namespace outbox::support {

struct EventSpec {
  uint64_t number = 0;  // the id: see numbered_id()
  std::string aggregate_type = "order";
  std::optional<std::string> key;
  std::string event_type = "placed";
  std::optional<std::string> payload = std::nullopt;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};
  core::HeadersFault headers_fault = core::HeadersFault::none;
  core::WallTime commit_time = {};
  core::Position position = {};
  uint64_t seq = 0;
};

/// An id that carries a number, so that fakes find what they know of it without a map.
core::Uuid numbered_id(uint64_t number);
uint64_t number_of(const core::Uuid& id);

/// Hands out events as items whose bytes live in chunks of one pool, several to a chunk.
class EventMaker {
 public:
  core::Item make(const EventSpec& spec, core::StreamId stream = {});

  /// Gives up the chunk being filled, as a source does when it has handed out what it read. What
  /// the pool then holds is held by somebody else.
  void let_go() { chunk_.reset(); }

  core::ChunkPool& pool() { return pool_; }

 private:
  core::ChunkPool pool_;
  core::ChunkRef chunk_;
};

/// Why `event` is not what `spec` says, byte by byte; empty when it is.
std::string difference(const EventSpec& spec, const core::Event& event);

}  // namespace outbox::support
