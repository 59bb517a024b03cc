#pragma once
// Finding: one thing about a Postgres that a relay cannot live with, or that a person should know,
// with the statement that mends it. What `outbox doctor` prints; an `error` also stops a start.

#include <string>
#include <vector>

#include "connectors/postgres/options.h"

namespace outbox::postgres {

enum class Severity {
  error,
  warning,
  note,
  unreachable,  // nothing could be looked at
};

struct Finding {
  Severity severity = Severity::error;
  std::string code;    // stable: "PUBLICATION_MISSING"
  std::string what;    // "publication outbox_shop does not publish inserts"
  std::string remedy;  // SQL or a command that mends it; empty for notes
};

const char* to_string(Severity severity);

/// Connects, looks, changes nothing, and waits for the answers; for `outbox doctor`. An empty list:
/// nothing to say. Never throws; trouble to connect is a Finding too.
std::vector<Finding> inspect(const PostgresOptions& options);

}  // namespace outbox::postgres
