#pragma once
// Finding: one thing that `outbox doctor` looked at. The connectors look; the wiring turns what
// they say into findings, so that this header knows none of them.

#include <functional>
#include <string>
#include <vector>

namespace outbox::app {

enum class FindingLevel {
  ok,
  warn,         // works, but will hurt
  error,        // `run` would stop, lose time or be refused
  unreachable,  // could not be looked at
};

const char* to_string(FindingLevel level);

struct Finding {
  FindingLevel level = FindingLevel::ok;
  std::string what;  // "the publication outbox_shop does not publish outbox.event"
  std::string fix;   // the SQL or command that mends it, or empty
};

/// One thing of the config to look at. `look` waits for the server, for at most some seconds.
struct DoctorCheck {
  std::string subject;  // "source shop"
  std::function<std::vector<Finding>()> look;
};

}  // namespace outbox::app
