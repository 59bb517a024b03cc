#pragma once
// ProgressBar: how far long work is, on stderr: one line that is drawn again on a terminal, a plain
// line every ten seconds elsewhere. Count, rate and time left.
//
// Thread: one. The terminal outlives it.

#include <chrono>
#include <cstdint>
#include <string>

#include "relay/app/cli/terminal.h"

namespace outbox::app {

class ProgressBar {
 public:
  explicit ProgressBar(const Terminal& terminal);

  /// Cheap: draws a few times a second at most. Another `what` begins a new line. `total` 0:
  /// unknown.
  void show(const std::string& what, uint64_t done, uint64_t total);

  /// Takes the line away, before anything else is written.
  void clear();

 private:
  using Instant = std::chrono::steady_clock::time_point;
  std::string line(uint64_t done, uint64_t total, Instant now) const;

  const Terminal& terminal_;
  std::string what_;
  Instant begun_;
  Instant drawn_;
  uint64_t first_ = 0;
  bool on_screen_ = false;
};

}  // namespace outbox::app
