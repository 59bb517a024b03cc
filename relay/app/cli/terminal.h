#pragma once
// Terminal: where a command writes. Data goes to `out`, everything else to `error`, so that a pipe
// carries data only.

#include <iosfwd>
#include <string>
#include <string_view>

namespace outbox::app {

enum class Shade { plain, good, warning, bad };

struct Terminal {
  std::ostream& out;
  std::ostream& error;
  bool out_is_terminal = false;
  bool color = false;  // a terminal, and NO_COLOR is not set
  bool error_is_terminal = false;

  /// `text`, coloured where that is wanted.
  std::string shaded(Shade shade, std::string_view text) const;
};

/// This process's own stdout and stderr.
Terminal process_terminal();

}  // namespace outbox::app
