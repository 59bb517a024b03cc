#pragma once
// PollPace: when to look again. While rows come, soon; the longer none come, the more rarely, up to
// a limit. Pure.

#include <algorithm>

#include "relay/core/clock.h"

namespace outbox::postgres {

class PollPace {
 public:
  /// From the end of one poll to the next look: a poll itself takes one to three.
  static constexpr core::Duration kShortest = std::chrono::milliseconds(1);
  /// Looks without rows before the pauses grow: events of a trickle come together.
  static constexpr int kPatience = 50;

  explicit PollPace(core::Duration longest) : longest_(std::max(longest, kShortest)) {}

  core::Duration after_rows() {
    empty_looks_ = 0;
    pause_ = kShortest;
    return pause_;
  }
  core::Duration after_nothing() {
    if (++empty_looks_ > kPatience) pause_ = std::min(pause_ * 2, longest_);
    return pause_;
  }

 private:
  core::Duration longest_;
  core::Duration pause_ = kShortest;
  int empty_looks_ = 0;
};

}  // namespace outbox::postgres
