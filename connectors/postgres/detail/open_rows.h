#pragma once
// OpenRows: which rows were handed out and are not marked yet, by the number each was given. A row
// keeps its place from being handed out until its mark is committed; so it is never handed out
// twice, and a crash finds it READY.
//
// Pure; belongs to the pipeline's thread. Bounded by whoever hands out: no read begins with more
// than kOpenRowsMost rows open.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "relay/core/event.h"
#include "relay/core/outcome.h"

namespace outbox::postgres {

/// 24 bytes each here and 38 in a read's statement: half a megabyte together.
inline constexpr size_t kOpenRowsMost = 8192;

/// What one save has to write.
struct Marks {
  std::vector<core::Uuid> sent;
  std::vector<core::Uuid> failed;
  std::vector<std::string> causes;  // one for each of `failed`
};

class OpenRows {
 public:
  explicit OpenRows(uint32_t shards) : by_shard_(shards) {}

  /// Gives the row the next number.
  uint64_t add(const core::Uuid& id, uint32_t shard);

  /// The row became a dead letter, or was skipped, because of `cause`.
  void refuse(uint64_t number, const core::Cause& cause);

  /// The marks of all rows up to `number`. They stay open until settled().
  Marks marks(uint64_t number) const;

  /// The marks up to `number` are committed.
  void settled(uint64_t number);

  size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  size_t of_shard(uint32_t shard) const { return by_shard_[shard]; }

  /// The newest number that was given, 0 before the first.
  uint64_t last() const { return first_ + rows_.size() - 1; }

  /// All ids as the text of a uuid[], for "not these".
  std::string ids() const;

 private:
  struct Row {
    core::Uuid id;
    uint32_t shard;
  };

  uint64_t first_ = 1;  // number of the oldest open row
  std::deque<Row> rows_;
  std::map<uint64_t, std::string> refused_;
  std::vector<size_t> by_shard_;
};

}  // namespace outbox::postgres
