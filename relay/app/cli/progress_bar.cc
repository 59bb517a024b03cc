#include "relay/app/cli/progress_bar.h"

#include <algorithm>
#include <ostream>

#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

using std::chrono::steady_clock;

constexpr auto kDrawEvery = std::chrono::milliseconds(200);
constexpr auto kWriteEvery = std::chrono::seconds(10);
constexpr size_t kBarCells = 24;

}  // namespace

ProgressBar::ProgressBar(const Terminal& terminal)
    : terminal_(terminal), begun_(steady_clock::now()), drawn_(begun_) {}

void ProgressBar::show(const std::string& what, uint64_t done, uint64_t total) {
  const Instant now = steady_clock::now();
  if (what != what_) {
    what_ = what;
    begun_ = now;
    first_ = done;
  }
  const bool redrawn = terminal_.error_is_terminal;
  if (now - drawn_ < (redrawn ? std::chrono::nanoseconds(kDrawEvery) : kWriteEvery)) return;
  drawn_ = now;
  if (redrawn) {
    terminal_.error << "\r\x1b[K" << line(done, total, now) << std::flush;
    on_screen_ = true;
  } else {
    terminal_.error << line(done, total, now) << std::endl;
  }
}

void ProgressBar::clear() {
  if (!on_screen_) return;
  terminal_.error << "\r\x1b[K" << std::flush;
  on_screen_ = false;
}

std::string ProgressBar::line(uint64_t done, uint64_t total, Instant now) const {
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  std::string text = what_ + "  ";
  if (total > 0 && terminal_.error_is_terminal) {
    const size_t filled = static_cast<size_t>(static_cast<double>(kBarCells) *
                                              static_cast<double>(std::min(done, total)) /
                                              static_cast<double>(total));
    text += '[' + std::string(filled, '#') + std::string(kBarCells - filled, '.') + "]  ";
  }
  text += readable_count(done);
  if (total > 0) text += " of " + readable_count(total);
  text += ", " + readable_count(static_cast<uint64_t>(rate)) + "/s";
  if (total > done && rate > 0) {
    text += ", " + readable_seconds(static_cast<double>(total - done) / rate) + " left";
  }
  return text;
}

}  // namespace outbox::app
