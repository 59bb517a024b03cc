#pragma once
// SavedProgress: what of one stream's progress is saved and confirmed, and when the next save is
// due. Sink durable -> progress saved -> confirm upstream: what take_confirm() gives is only ever
// what was saved before (invariant 6).
//
// Pure; owned by a Pipeline, one for each stream. At most one save is under way at a time.

#include <optional>

#include "relay/core/checkpoint.h"
#include "relay/core/clock.h"
#include "relay/core/position.h"
#include "relay/flow/window.h"

namespace outbox::flow {

struct SaveCadence {
  core::Duration events;      // at most this often while events settle
  core::Duration boundaries;  // at most this often for boundaries alone
};

enum class Urgency : uint8_t {
  usual,
  shutdown,  // once nothing is open, what is left is saved at once
};

class SavedProgress {
 public:
  explicit SavedProgress(core::StreamId stream) : progress_{stream, {}, {}} {}

  core::StreamId stream() const { return progress_.stream; }

  /// The marks of `window`, which belongs to this stream; before they exist, what was saved last.
  core::Progress current(const Window& window) const;

  /// When `current` is to be saved: kNever if it is saved or being saved already.
  core::Instant due(const Window& window, const SaveCadence& cadence, Urgency urgency) const;

  void save_started(const core::Progress& progress, core::Instant now);
  void save_durable() { confirm_due_ = true; }

  /// What the source may forget since the last call, if anything.
  std::optional<core::Settled> take_confirm();

  /// All that `window` settled is saved and confirmed.
  bool complete(const Window& window) const {
    return !confirm_due_ && current(window) == progress_;
  }

 private:
  core::Progress progress_;  // of the newest save, durable or under way
  std::optional<core::Instant> saved_at_;
  bool confirm_due_ = false;  // durable, and the source has not been told yet
};

}  // namespace outbox::flow
