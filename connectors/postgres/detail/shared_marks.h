#pragma once
// SharedMarks: what StatusSource and StatusStore tell each other. Both live on the pipeline's
// thread; the store is asked to save, the source has the only session that may.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "relay/core/checkpoint.h"
#include "relay/core/outcome.h"

namespace outbox::postgres {

struct SharedMarks {
  /// To be marked; stays until `done`. Written by the store.
  std::optional<core::Progress> asked;

  /// The marks of `asked` are committed. Written by the source.
  bool done = false;

  /// Rows that failed, by number, told before a save covers them. Written by the store, taken by
  /// the source; at most one for each cell of the window.
  std::vector<std::pair<uint64_t, core::Cause>> refused;
};

}  // namespace outbox::postgres
