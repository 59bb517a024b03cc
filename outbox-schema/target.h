#pragma once
// Target: which database a connection string leads to, in words that may be shown. Understands what
// libpq does: URLs, "host=... dbname=..." and the PG* environment variables behind both.

#include <string>
#include <string_view>

#include "relay/core/result.h"

namespace outbox::schema {

struct Target {
  std::string shown;     // "database shop on 127.0.0.1:5432 as alice"
  std::string password;  // empty when the string holds none; never shown
};

/// An Error (reject, "URL_INVALID") never repeats what it was given.
core::Result<Target> describe_target(const std::string& url);

/// `text` without any trace of `url` and its password: client libraries quote them in messages.
std::string without_secrets(std::string text, const std::string& url, const Target& target);

}  // namespace outbox::schema
