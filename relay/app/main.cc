#include <exception>
#include <iostream>

#include "relay/app/cli/commands.h"
#include "relay/app/wiring.h"

int main(int argc, char** argv) {
  using namespace outbox::app;
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return static_cast<int>(run_program(arguments, wire(), process_terminal()));
  } catch (const std::exception& error) {
    std::cerr << "outbox: " << error.what() << '\n';
    return static_cast<int>(ExitCode::failed);
  }
}
