#pragma once
// Connection: one libpq connection and what may be asked of it while a background job owns it.
// Everything here waits, through the job's Waiter; the pipeline's thread takes the PGconn over with
// release() and talks to it without waiting.
//
// Errors carry a SQLSTATE as their code. None of them holds the URL or any part of it but host,
// port, user and database.

#include <libpq-fe.h>

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/detail/waiter.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

/// A number as the server prints it; 0 for anything else, an empty text among them.
template <typename Number>
Number to_number(const std::string& text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The rows of one answer.
class Rows {
 public:
  explicit Rows(ResultHandle result) : result_(std::move(result)) {}

  int count() const { return PQntuples(result_.get()); }
  bool has(const char* column) const { return PQfnumber(result_.get(), column) >= 0; }
  bool empty() const { return count() == 0; }

  /// nullopt for NULL, and for a row or column that is not there.
  std::optional<std::string> text(int row, const char* column) const;

  /// The same of the first row, empty for NULL.
  std::string value(const char* column) const { return text(0, column).value_or(""); }
  bool truth(const char* column) const { return value(column) == "t"; }
  template <typename Number>
  Number number(const char* column) const {
    return to_number<Number>(value(column));
  }
  core::Lsn lsn(const char* column) const {
    return core::parse_lsn(value(column)).value_or(core::Lsn{});
  }

 private:
  ResultHandle result_;
};

enum class ConnectionKind { sql, replication };

/// `url` with what a relay needs added and nothing of the user's lost: one entry per host, so that
/// each gets its own time limit. An Error never repeats the URL.
struct ConnectParameters {
  std::vector<std::string> keywords;
  std::vector<std::string> values;

  void set(const std::string& keyword, const std::string& value);
  void set_default(const std::string& keyword, const std::string& value);
  const std::string* find(std::string_view keyword) const;
};
core::Result<std::vector<ConnectParameters>> connect_parameters(const std::string& url,
                                                                ConnectionKind kind,
                                                                const std::string& application);

using Parameters = std::vector<std::optional<std::string>>;

class Connection {
 public:
  /// Connects within a bound per host. The session speaks UTF-8; a SQL session also has a pinned
  /// search_path and time limits.
  static core::Result<Connection> open(const std::string& url, ConnectionKind kind,
                                       const std::string& application, const Waiter& waiter);

  /// One statement. `op` and `subject` are for the Error ("create", "publication outbox_shop").
  core::Result<Rows> run(const std::string& sql, const Parameters& parameters,
                         const std::string& op, const std::string& subject, const Waiter& waiter);

  /// A statement that may take long: `tick` is called every `period` while its answer is awaited;
  /// when it returns false the answer is not awaited any more, and the connection of no use.
  core::Result<Rows> run_ticking(const std::string& sql, const std::string& op,
                                 const std::string& subject, const Waiter& waiter,
                                 core::Duration period, const std::function<bool()>& tick);

  PGconn* handle() { return handle_.get(); }
  ConnectionHandle release() { return std::move(handle_); }

 private:
  explicit Connection(ConnectionHandle handle) : handle_(std::move(handle)) {}

  core::Result<ResultHandle> await_result(const Waiter& waiter, core::Duration period,
                                          const std::function<bool()>& tick);
  core::Error failure(const std::string& op, const std::string& subject) const;

  ConnectionHandle handle_;
};

/// The Error of a result that is not OK.
core::Error error_of(const PGresult* result, const std::string& op, const std::string& subject);

/// "called off": the process is stopping.
core::Error called_off(const std::string& op);

}  // namespace outbox::postgres
