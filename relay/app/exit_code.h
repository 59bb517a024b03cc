#pragma once
// What the commands end with. Scripts rely on the numbers.

namespace outbox::app {

enum class ExitCode {
  ok = 0,
  failed = 1,
  usage = 2,  // a wrong command line or config; nothing was touched
  nothing_matched = 3,
  refused = 4,
  unreachable = 5,
  partly_done = 6,
};

}  // namespace outbox::app
