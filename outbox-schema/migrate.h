#pragma once
// Migrate: brings a database to the schema that this binary was built with, and tells how far it
// is.
//
// Each migration runs in one transaction together with its row in outbox.schema_migration, under a
// lock that only one migrating session can hold, so a crash or a second `apply` beside it leaves a
// migration either done or not begun. Calls are idempotent.
//
// Thread: any; each call opens a connection of its own, waits for it, and closes it.
//
// Errors, by code:
//   UNREACHABLE       retry   no connection; the detail is the server's or libpq's own sentence
//   URL_INVALID       reject
//   CHECKSUM          reject  an applied migration is not the one this binary carries
//   NEWER             reject  the database has a migration that this binary does not know
//   COMMIT_IN_DOUBT   unknown the connection broke in COMMIT: ask status()
//   a SQLSTATE        retry (lock_timeout) or fatal: what the server said; nothing was changed

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "outbox-schema/migration.h"
#include "relay/core/result.h"

namespace outbox::schema {

enum class State {
  pending,
  applied,
  changed,  // applied with another checksum
  unknown,  // applied, and this binary does not carry it
};

const char* to_string(State state);

struct MigrationStatus {
  int version = 0;
  std::string name;
  std::string checksum;  // of the embedded file; of the database's row where state is unknown
  State state = State::pending;
  std::string applied_at;  // as Postgres prints it in UTC; empty while pending
  std::string applied_by;
};

/// All migrations of the database and of the binary, by version. Reads only.
core::Result<std::vector<MigrationStatus>> status(
    const std::string& url, std::span<const Migration> migrations = embedded_migrations());

/// The Error (CHECKSUM or NEWER) for which apply() would refuse to touch such a database.
core::Result<void> appliable(const std::vector<MigrationStatus>& found);

struct ApplyOptions {
  /// How long one statement may wait for a lock before the migration is given up, undone. A schema
  /// change that waits also makes everybody behind it wait.
  std::chrono::milliseconds lock_timeout{10'000};
  /// Called with each warning of the server.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  /// Called before a migration runs.
  std::function<void(const Migration&)> begin = [](const Migration&) {};
};

/// Runs what is pending; the count of migrations that ran.
core::Result<size_t> apply(const std::string& url, const ApplyOptions& options,
                           std::span<const Migration> migrations = embedded_migrations());

}  // namespace outbox::schema
