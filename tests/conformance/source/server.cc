#include "tests/conformance/source/server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "outbox-schema/migrate.h"

namespace outbox::conformance {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

std::string database_url() {
  const char* url = std::getenv("DATABASE_URL");
  if (url == nullptr) throw std::runtime_error("DATABASE_URL names no Postgres to test with");
  return url;
}

std::string quoted(const std::string& text) { return "'" + text + "'"; }

// The user's connection string with other values for some keywords, as key='value' pairs.
std::string with(const std::vector<std::pair<std::string, std::string>>& changes) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(database_url().c_str(), &message);
  if (parsed == nullptr) throw std::runtime_error("DATABASE_URL cannot be parsed");
  std::string conninfo;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    bool changed = false;
    for (const auto& [keyword, value] : changes) changed = changed || keyword == option->keyword;
    if (option->val != nullptr && !changed) {
      conninfo += std::string(option->keyword) + "=" + quoted(option->val) + " ";
    }
  }
  PQconninfoFree(parsed);
  for (const auto& [keyword, value] : changes) conninfo += keyword + "=" + quoted(value) + " ";
  return conninfo;
}

std::string process_prefix() { return "outbox_source_" + std::to_string(getpid()); }

void drop_database(const std::string& name) {
  Sql sql(url_of("postgres"));
  sql.run(
      "select pg_terminate_backend(active_pid) from pg_replication_slots"
      " where active_pid is not null and database = " +
      quoted(name));
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (sql.value("select count(*) from pg_replication_slots where active_pid is not null"
                  " and database = " +
                  quoted(name)) == "0") {
      break;
    }
    sql.run("select pg_sleep(0.02)");
  }
  sql.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = " +
          quoted(name));
  sql.run("drop database if exists " + name + " with (force)");
}

// The schema is applied once; every test's database is a copy.
class Template : public testing::Environment {
 public:
  void SetUp() override {
    Sql(url_of("postgres")).run("create database " + name());
    const auto applied = schema::apply(url_of(name()), {});
    if (!applied) throw std::runtime_error(core::to_string(applied.error()));
  }
  void TearDown() override { drop_database(name()); }

  static std::string name() { return process_prefix() + "_template"; }
};

testing::Environment* const kTemplate = testing::AddGlobalTestEnvironment(new Template);

}  // namespace

Sql::Sql(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

std::vector<std::string> Sql::run(const std::string& sql) {
  const ResultHandle result(PQexec(connection_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(sql + ": " + PQresultErrorMessage(result.get()));
  }
  std::vector<std::string> values;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    values.emplace_back(PQgetvalue(result.get(), row, 0));
  }
  return values;
}

std::string Sql::value(const std::string& sql) {
  const std::vector<std::string> values = run(sql);
  return values.empty() ? "" : values[0];
}

void Sql::send(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

void Sql::finish() {
  while (ResultHandle(PQgetResult(connection_.get())) != nullptr) {
  }
}

std::string Sql::refusal(const std::string& sql) {
  const ResultHandle result(PQexec(connection_.get(), sql.c_str()));
  return PQresultErrorMessage(result.get());
}

std::string url_of(const std::string& database) { return with({{"dbname", database}}); }

std::string url_as(const std::string& database, const std::string& user,
                   const std::string& password) {
  return with({{"dbname", database}, {"user", user}, {"password", password}});
}

Database::Database() {
  static int made = 0;
  name_ = process_prefix() + "_" + std::to_string(++made);
  // A copy has the schema but not the grants on the database itself.
  Sql sql(url_of("postgres"));
  sql.run("create database " + name_ + " template " + Template::name());
  sql.run("grant create on database " + name_ + " to outbox_owner");
}

Database::~Database() { drop_database(name_); }

}  // namespace outbox::conformance
