// What the owner of a pipeline asks between steps.
#include <algorithm>

#include "relay/flow/pipeline.h"

namespace outbox::flow {

bool Pipeline::drained() const {
  if (brake_.engaged() ? under_way() : open_cells() != 0) return false;
  if (!checkpoint_.idle()) return false;
  return std::all_of(saved_.begin(), saved_.end(), [this](const SavedProgress& saved) {
    return saved.complete(window(saved.stream()));
  });
}

bool Pipeline::under_way() const {
  for (const Window& window : windows_) {
    for (uint64_t index = window.begin(); index != window.end(); ++index) {
      if (window.at(index).state == CellState::outside) return true;
    }
  }
  return false;
}

size_t Pipeline::open_cells() const {
  size_t cells = 0;
  for (const Window& window : windows_) cells += window.size();
  return cells;
}

size_t Pipeline::open_bytes() const {
  size_t bytes = 0;
  for (const Window& window : windows_) bytes += window.bytes();
  return bytes;
}

std::optional<core::WallTime> Pipeline::oldest_open_commit() const {
  std::optional<core::WallTime> oldest;
  for (const Window& window : windows_) {
    if (window.empty()) continue;
    const core::WallTime commit = window.at(window.begin()).event.commit_time;
    if (!oldest || commit < *oldest) oldest = commit;
  }
  return oldest;
}

}  // namespace outbox::flow
