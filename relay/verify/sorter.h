#pragma once
// Sorter: puts any number of small, plain items in order with a fixed amount of memory. What does
// not fit is written to a file in sorted runs, which are merged while they are read back.
//
//   add() … add(), finish() once, next() … next() until it gives nothing
//
// Memory: `memory_bytes` while items are added; a small piece of each run while they are read back.
// Small inputs never touch the disk. Thread: one. Errors are the file's.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "relay/core/assert.h"
#include "relay/core/result.h"
#include "relay/verify/spill_file.h"

namespace outbox::verify {

template <typename Item>
class Sorter {
  static_assert(std::is_trivially_copyable_v<Item>);

 public:
  /// `folder`: where a file may be made.
  Sorter(std::string folder, size_t memory_bytes)
      : folder_(std::move(folder)), capacity_(std::max<size_t>(memory_bytes / sizeof(Item), 2)) {}

  core::Result<void> add(const Item& item) {
    OUTBOX_ASSERT(!finished_);
    if (items_.size() == capacity_) {
      if (auto spilled = spill(); !spilled) return spilled;
    }
    if (items_.capacity() == 0) items_.reserve(capacity_);
    items_.push_back(item);
    ++count_;
    return {};
  }

  /// No more items come.
  core::Result<void> finish() {
    OUTBOX_ASSERT(!finished_);
    finished_ = true;
    if (!file_) {
      std::sort(items_.begin(), items_.end());
      return {};
    }
    if (auto spilled = spill(); !spilled) return spilled;
    items_ = {};
    for (size_t run = 0; run < runs_.size(); ++run) {
      if (auto filled = fill(runs_[run]); !filled) return filled;
      heap_.push_back(run);
    }
    std::make_heap(heap_.begin(), heap_.end(), later());
    return {};
  }

  /// The next item in order; nullopt behind the last.
  core::Result<std::optional<Item>> next() {
    OUTBOX_ASSERT(finished_);
    if (!file_) {
      if (at_ == items_.size()) return std::optional<Item>();
      return std::optional<Item>(items_[at_++]);
    }
    if (heap_.empty()) return std::optional<Item>();
    std::pop_heap(heap_.begin(), heap_.end(), later());
    Run& run = runs_[heap_.back()];
    const Item item = run.piece[run.at++];
    if (run.at == run.piece.size()) {
      if (auto filled = fill(run); !filled) return filled.error();
    }
    if (run.piece.empty()) {
      heap_.pop_back();
    } else {
      std::push_heap(heap_.begin(), heap_.end(), later());
    }
    return std::optional<Item>(item);
  }

  uint64_t count() const { return count_; }

 private:
  // Large enough for the disk, small enough that a thousand runs stay within what add() had.
  static constexpr size_t kPieceBytes = 32 * 1024;

  struct Run {
    uint64_t begin = 0;  // in the file
    uint64_t items = 0;  // not yet in `piece`
    std::vector<Item> piece;
    size_t at = 0;
  };

  const Item& head(size_t run) const { return runs_[run].piece[runs_[run].at]; }
  auto later() const {
    return [this](size_t a, size_t b) { return head(b) < head(a); };
  }

  core::Result<void> spill() {
    std::sort(items_.begin(), items_.end());
    if (!file_) {
      auto file = SpillFile::in(folder_);
      if (!file) return file.error();
      file_.emplace(std::move(*file));
    }
    if (items_.empty()) return {};
    runs_.push_back({file_->size(), items_.size(), {}, 0});
    const auto written = file_->append(items_.data(), items_.size() * sizeof(Item));
    items_.clear();
    return written;
  }

  core::Result<void> fill(Run& run) {
    const size_t most = std::max<size_t>(kPieceBytes / sizeof(Item), 1);
    const size_t items = static_cast<size_t>(std::min<uint64_t>(run.items, most));
    run.piece.resize(items);
    run.at = 0;
    if (items == 0) return {};
    const auto read = file_->read(run.begin, run.piece.data(), items * sizeof(Item));
    run.begin += items * sizeof(Item);
    run.items -= items;
    return read;
  }

  std::string folder_;
  size_t capacity_;
  bool finished_ = false;
  uint64_t count_ = 0;
  std::vector<Item> items_;
  size_t at_ = 0;
  std::optional<SpillFile> file_;
  std::vector<Run> runs_;
  std::vector<size_t> heap_;  // of runs, the one with the smallest item first
};

}  // namespace outbox::verify
