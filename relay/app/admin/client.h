#pragma once
// Asks a running relay's admin server for one document. Waits for the answer, at most five seconds.

#include <string>

#include "relay/app/config/config.h"
#include "relay/core/result.h"

namespace outbox::app {

/// The body of GET `path`. Errors: UNREACHABLE (nobody answers in time), or HTTP_<status> with the
/// server's own words.
core::Result<std::string> fetch_admin(const AdminConfig& admin, const std::string& path);

}  // namespace outbox::app
