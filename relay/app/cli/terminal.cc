#include "relay/app/cli/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace outbox::app {

std::string Terminal::shaded(Shade shade, std::string_view text) const {
  if (!color || shade == Shade::plain) return std::string(text);
  const char* begin = shade == Shade::good      ? "\x1b[32m"
                      : shade == Shade::warning ? "\x1b[33m"
                                                : "\x1b[31m";
  return begin + std::string(text) + "\x1b[0m";
}

Terminal process_terminal() {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  const bool unwanted = no_color != nullptr && *no_color != '\0';
  return Terminal{std::cout, std::cerr, terminal, terminal && !unwanted,
                  isatty(STDERR_FILENO) == 1};
}

}  // namespace outbox::app
