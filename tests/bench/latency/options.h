#pragma once
// What the command line and the environment ask for. The database's URL holds a password and comes
// by the environment, as does the broker's address.

#include <cstddef>
#include <string>

namespace outbox::bench {

enum class Mode {
  commits,  ///< outbox.publish() in a transaction of its own, timed from COMMIT returned
  floor,    ///< a record straight to the topic, timed from the call that hands it to the client
};

struct Options {
  Mode mode = Mode::commits;
  std::string topic;
  size_t rate = 500;  ///< events a second, over all senders
  size_t seconds = 60;
  size_t warmup_seconds = 3;
  size_t senders = 4;
  std::string database_url;  ///< DATABASE_URL
  std::string bootstrap;     ///< KAFKA_BOOTSTRAP
};

/// Throws std::invalid_argument with the usage when something is missing or wrong.
Options parse_options(int argc, const char* const* argv);

}  // namespace outbox::bench
