#pragma once
// LostBatch: events that `outbox verify` found lost, as outbox.lost_file takes them
// (outbox-schema/migrations/V005). Pure: LetterDesk sends it.
//
// Bounded: once it is full() no more should be added. One event may be larger than the bound.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/options.h"
#include "relay/core/event.h"

namespace outbox::postgres {

class LostBatch {
 public:
  /// `extras`: the columns that the source was told of, in its order.
  explicit LostBatch(std::vector<ExtraColumn> extras) : extras_(std::move(extras)) {}

  /// Copies the event. Lowest seq first. `topic`: where it belongs; empty: nowhere. `route`: the
  /// name of what leads there, whose rules for replays hold. `detail`: why it is lost, for people.
  void add(const core::Event& event, std::string_view topic, std::string_view route,
           std::string_view detail);

  bool empty() const { return count_ == 0; }
  bool full() const;
  /// A JSON array.
  std::string json() const { return empty() ? "[]" : text_ + "]"; }
  void clear();

 private:
  void put(std::string_view name, std::string_view json);

  const std::vector<ExtraColumn> extras_;
  std::string text_;
  size_t count_ = 0;
};

}  // namespace outbox::postgres
