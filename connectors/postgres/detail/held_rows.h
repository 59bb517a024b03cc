#pragma once
// HeldRows: what one read brought and is not handed out yet, and how many rows the next read asks
// for. Pure; belongs to the pipeline's thread.
//
// Rows can be 32 MB each, and nobody knows how large before they come. Beyond kBytesMost the rest
// of a read is dropped (it is READY still), and the next read asks for as many as found room; as
// many more again as all did.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "connectors/postgres/detail/status_reader.h"

namespace outbox::postgres {

class HeldRows {
 public:
  static constexpr uint64_t kRowsMost = 4096;
  /// One more row may pass it.
  static constexpr size_t kBytesMost = 2 * 1024 * 1024;

  /// A read of limit() rows begins; nothing is held.
  void begin() { came_ = dropped_ = 0; }
  bool full() const { return bytes_ >= kBytesMost; }
  void add(ReadRow row, size_t bytes) {
    ++came_;
    bytes_ += bytes;
    rows_.push_back(std::move(row));
  }
  void drop() {
    ++came_;
    ++dropped_;
  }

  /// The read is over: whether there may be more rows than it brought.
  bool ended() {
    const bool more = came_ >= limit_;
    limit_ =
        dropped_ > 0 ? std::max<uint64_t>(came_ - dropped_, 1) : std::min(limit_ * 2, kRowsMost);
    return more;
  }

  uint64_t limit() const { return limit_; }
  bool empty() const { return rows_.empty(); }
  const core::Uuid& first() const { return rows_.front().item.event.id; }

  ReadRow take() {
    ReadRow row = std::move(rows_.front());
    rows_.pop_front();
    if (rows_.empty()) bytes_ = 0;
    return row;
  }

  void clear() {
    rows_.clear();
    bytes_ = 0;
  }

 private:
  std::deque<ReadRow> rows_;
  size_t bytes_ = 0;
  uint64_t limit_ = kRowsMost;
  uint64_t came_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace outbox::postgres
