#pragma once
// A real Postgres for tests, from DATABASE_URL (a superuser's), and a database of each test's own
// with the outbox schema in it.

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

namespace outbox::conformance {

/// A plain SQL session that waits for its answers. A statement that fails is a test that fails.
class Sql {
 public:
  explicit Sql(const std::string& url);

  /// All statements of `sql`; the first column of the last one's rows.
  std::vector<std::string> run(const std::string& sql);
  std::string value(const std::string& sql);

  /// Sends and does not wait: the session then belongs to that statement until finish().
  void send(const std::string& sql);
  void finish();

  /// What the server said to a statement that must fail; empty if it did not.
  std::string refusal(const std::string& sql);

  int pid() const { return PQbackendPID(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

/// DATABASE_URL's server, another database or user of it.
std::string url_of(const std::string& database);
std::string url_as(const std::string& database, const std::string& user,
                   const std::string& password);

/// Made anew for one test, and gone with it, together with the slots that lead into it.
class Database {
 public:
  Database();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& name() const { return name_; }
  std::string url() const { return url_of(name_); }
  /// A name that no other test uses, for what belongs to the whole cluster.
  std::string unique(const std::string& stem) const { return stem + "_" + name_; }

 private:
  std::string name_;
};

}  // namespace outbox::conformance
