#include "outbox-schema/migrate.h"

#include <algorithm>
#include <pqxx/pqxx>
#include <utility>

#include "outbox-schema/with_connection.h"

namespace outbox::schema {
namespace {

// The text 'outbox' read as a number; V001 takes the same lock.
constexpr const char* kTakeLock = "select pg_advisory_xact_lock(122550254464888)";

/// Hands the server's warnings on and keeps its notices ("... already exists, skipping") away.
class WarningsOnly : public pqxx::errorhandler {
 public:
  WarningsOnly(pqxx::connection_base& connection,
               const std::function<void(const std::string&)>& warn)
      : pqxx::errorhandler(connection), warn_(warn) {}

  bool operator()(const char message[]) noexcept override {
    try {
      std::string text(message);
      while (!text.empty() && text.back() == '\n') text.pop_back();
      if (text.starts_with("WARNING")) warn_(text);
    } catch (const std::exception&) {
      // A warning that cannot be shown must not end a migration.
    }
    return true;
  }

 private:
  const std::function<void(const std::string&)>& warn_;
};

std::vector<MigrationStatus> read_applied(pqxx::work& transaction) {
  std::vector<MigrationStatus> applied;
  const auto there = transaction.exec1("select to_regclass('outbox.schema_migration') is not null");
  if (!there[0].as<bool>()) return applied;
  const auto rows = transaction.exec(
      "select version, name, checksum, to_char(applied_at at time zone 'UTC', "
      "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), applied_by from outbox.schema_migration order by "
      "version");
  for (const auto& row : rows) {
    applied.push_back({row[0].as<int>(), row[1].as<std::string>(), row[2].as<std::string>(),
                       State::unknown, row[3].as<std::string>(), row[4].as<std::string>()});
  }
  return applied;
}

std::vector<MigrationStatus> compare(std::vector<MigrationStatus> all,
                                     std::span<const Migration> migrations) {
  for (const Migration& migration : migrations) {
    const auto row = std::find_if(all.begin(), all.end(), [&](const MigrationStatus& one) {
      return one.version == migration.version;
    });
    if (row == all.end()) {
      all.push_back({migration.version, std::string(migration.name),
                     std::string(migration.checksum), State::pending, "", ""});
    } else {
      row->state = row->checksum == migration.checksum ? State::applied : State::changed;
      row->checksum = migration.checksum;
    }
  }
  std::sort(all.begin(), all.end(), [](const MigrationStatus& a, const MigrationStatus& b) {
    return a.version < b.version;
  });
  return all;
}

/// One migration in one transaction; false when it was there already.
core::Result<bool> apply_one(pqxx::connection& connection, const Migration& migration,
                             const ApplyOptions& options, std::span<const Migration> migrations) {
  pqxx::work transaction(connection);
  transaction.exec("set local lock_timeout = " + std::to_string(options.lock_timeout.count()));
  transaction.exec(kTakeLock);
  const auto found = compare(read_applied(transaction), migrations);
  if (const auto may = appliable(found); !may) return may.error();
  const bool pending = std::any_of(found.begin(), found.end(), [&](const MigrationStatus& one) {
    return one.version == migration.version && one.state == State::pending;
  });
  if (!pending) return false;
  options.begin(migration);
  transaction.exec(std::string(migration.sql));
  transaction.exec_params(
      "insert into outbox.schema_migration (version, name, checksum) values ($1, $2, $3)",
      migration.version, std::string(migration.name), std::string(migration.checksum));
  transaction.commit();
  return true;
}

core::Error refusal(std::string code, const MigrationStatus& one, std::string detail,
                    std::string hint) {
  return core::Error{core::Fault::reject, std::move(code),
                     "migrate",           "V" + std::to_string(one.version) + " (" + one.name + ")",
                     std::move(detail),   std::move(hint)};
}

}  // namespace

const char* to_string(State state) {
  switch (state) {
    case State::pending:
      return "pending";
    case State::applied:
      return "applied";
    case State::changed:
      return "changed";
    case State::unknown:
      return "unknown";
  }
  return "?";
}

core::Result<std::vector<MigrationStatus>> status(const std::string& url,
                                                  std::span<const Migration> migrations) {
  return with_connection<std::vector<MigrationStatus>>(
      url, "read the schema of",
      [&](pqxx::connection& connection) -> core::Result<std::vector<MigrationStatus>> {
        pqxx::work transaction(connection);
        transaction.exec("set transaction read only");
        return compare(read_applied(transaction), migrations);
      });
}

core::Result<void> appliable(const std::vector<MigrationStatus>& found) {
  for (const MigrationStatus& one : found) {
    if (one.state == State::changed) {
      return refusal("CHECKSUM", one,
                     "what was applied here is not the file that this binary carries",
                     "Find out who changed it; use the release that applied it, or compare with "
                     "\"outbox schema print\". Nothing was touched");
    }
    if (one.state == State::unknown) {
      return refusal("NEWER", one, "this binary does not know it",
                     "A newer release migrated this database; use that one. Nothing was touched");
    }
  }
  return {};
}

core::Result<size_t> apply(const std::string& url, const ApplyOptions& options,
                           std::span<const Migration> migrations) {
  return with_connection<size_t>(
      url, "migrate", [&](pqxx::connection& connection) -> core::Result<size_t> {
        const WarningsOnly warnings(connection, options.warn);
        size_t ran = 0;
        for (const Migration& migration : migrations) {
          const auto done = apply_one(connection, migration, options, migrations);
          if (!done) return done.error();
          ran += *done ? 1 : 0;
        }
        return ran;
      });
}

}  // namespace outbox::schema
