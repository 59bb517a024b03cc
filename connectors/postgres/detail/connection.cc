#include "connectors/postgres/detail/connection.h"

#include <poll.h>

#include <algorithm>

#include "connectors/postgres/detail/sqlstate.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;
using std::chrono::seconds;

// A host that does not answer in this time is given up for the next one, or for another try.
constexpr auto kConnectTimeout = seconds(10);

// Set by every SQL session. Schema names are written out in every statement; statements of a relay
// are short, so one that takes longer waits for a lock, and giving up lets health say so.
constexpr const char* kSqlSession =
    "select set_config('search_path', 'pg_catalog', false),"
    " set_config('statement_timeout', '10s', false),"
    " set_config('lock_timeout', '5s', false),"
    " set_config('idle_in_transaction_session_timeout', '30s', false),"
    // A policy that hides rows from us is an error, not fewer rows.
    " set_config('row_security', 'off', false),"
    // A login may be made read-only by default; progress is written all the same.
    " set_config('default_transaction_read_only', 'off', false),"
    // Progress must outlive a crash of the server before the slot is confirmed (invariant 6).
    " set_config('synchronous_commit', case current_setting('synchronous_commit')"
    "   when 'off' then 'local' else current_setting('synchronous_commit') end, false)";

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

Result<ConnectParameters> parse_url(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), &message);
  if (parsed == nullptr) {
    PQfreemem(message);  // it may quote a part of the URL, and so of the password
    return Error{core::Fault::fatal,
                 "URL_MALFORMED",
                 "read",
                 "the Postgres URL",
                 "libpq cannot parse it",
                 "Write postgresql://user@host:port/database or \"host=... dbname=...\", with "
                 "special characters percent-encoded"};
  }
  ConnectParameters parameters;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.set(option->keyword, option->val);
  }
  PQconninfoFree(parsed);
  return parameters;
}

void add_ours(ConnectParameters& parameters, ConnectionKind kind, const std::string& application) {
  if (kind == ConnectionKind::replication) parameters.set("replication", "database");
  parameters.set("client_encoding", "UTF8");
  parameters.set_default("fallback_application_name", application);
  // A peer that is gone without a word is noticed within ten seconds, by the kernel.
  parameters.set_default("keepalives", "1");
  parameters.set_default("keepalives_idle", "4");
  parameters.set_default("keepalives_interval", "2");
  parameters.set_default("keepalives_count", "3");
  parameters.set_default("tcp_user_timeout", "9000");
}

Result<ConnectionHandle> connect(const ConnectParameters& parameters, const Waiter& waiter) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (size_t i = 0; i < parameters.keywords.size(); ++i) {
    keywords.push_back(parameters.keywords[i].c_str());
    values.push_back(parameters.values[i].c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnectionHandle handle(PQconnectStartParams(keywords.data(), values.data(), 0));
  OUTBOX_ASSERT(handle != nullptr);
  PQsetErrorVerbosity(handle.get(), PQERRORS_VERBOSE);  // the only way to learn the SQLSTATE

  const core::Instant deadline = std::chrono::steady_clock::now() + kConnectTimeout;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (PQstatus(handle.get()) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
         status != PGRES_POLLING_FAILED) {
    const short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const Wait wait = waiter.wait(PQsocket(handle.get()), events, deadline);
    if (wait == Wait::called_off) return called_off("connect");
    if (wait == Wait::timeout) {
      return Error{core::Fault::retry,
                   "08001",
                   "connect to",
                   "Postgres",
                   "no answer within 10 s from " + std::string(PQhost(handle.get())),
                   ""};
    }
    status = PQconnectPoll(handle.get());
  }
  if (PQstatus(handle.get()) != CONNECTION_OK) {
    const ConnectFailure failure = read_connect_failure(PQerrorMessage(handle.get()));
    return Error{fault_of(trouble_of(failure.sqlstate)),
                 failure.sqlstate,
                 "connect to",
                 "Postgres",
                 failure.text,
                 ""};
  }
  PQsetErrorVerbosity(handle.get(), PQERRORS_DEFAULT);
  PQsetNoticeProcessor(
      handle.get(), [](void*, const char*) {}, nullptr);
  return handle;
}

}  // namespace

std::optional<std::string> Rows::text(int row, const char* column) const {
  const int index = PQfnumber(result_.get(), column);
  if (index < 0 || row >= count() || PQgetisnull(result_.get(), row, index) != 0) {
    return std::nullopt;
  }
  return std::string(PQgetvalue(result_.get(), row, index),
                     static_cast<size_t>(PQgetlength(result_.get(), row, index)));
}

const std::string* ConnectParameters::find(std::string_view keyword) const {
  const auto found = std::find(keywords.begin(), keywords.end(), keyword);
  return found == keywords.end() ? nullptr : &values[static_cast<size_t>(found - keywords.begin())];
}

void ConnectParameters::set(const std::string& keyword, const std::string& value) {
  const auto found = std::find(keywords.begin(), keywords.end(), keyword);
  if (found != keywords.end()) {
    values[static_cast<size_t>(found - keywords.begin())] = value;
    return;
  }
  keywords.push_back(keyword);
  values.push_back(value);
}

void ConnectParameters::set_default(const std::string& keyword, const std::string& value) {
  if (find(keyword) == nullptr) set(keyword, value);
}

Result<std::vector<ConnectParameters>> connect_parameters(const std::string& url,
                                                          ConnectionKind kind,
                                                          const std::string& application) {
  Result<ConnectParameters> parsed = parse_url(url);
  if (!parsed) return parsed.error();
  add_ours(*parsed, kind, application);
  const std::string* hosts = parsed->find("host");
  const std::string* addresses = parsed->find("hostaddr");
  const std::string* ports = parsed->find("port");
  const std::vector<std::string> host = split(hosts != nullptr ? *hosts : "");
  const std::vector<std::string> address = split(addresses != nullptr ? *addresses : "");
  const std::vector<std::string> port = split(ports != nullptr ? *ports : "");
  std::vector<ConnectParameters> all(std::max(host.size(), address.size()), *parsed);
  for (size_t i = 0; all.size() > 1 && i < all.size(); ++i) {
    if (i < host.size() && hosts != nullptr) all[i].set("host", host[i]);
    if (i < address.size() && addresses != nullptr) all[i].set("hostaddr", address[i]);
    if (i < port.size() && port.size() > 1) all[i].set("port", port[i]);
  }
  return all;
}

Result<Connection> Connection::open(const std::string& url, ConnectionKind kind,
                                    const std::string& application, const Waiter& waiter) {
  const auto hosts = connect_parameters(url, kind, application);
  if (!hosts) return hosts.error();
  std::optional<Error> first_error;
  for (const ConnectParameters& parameters : *hosts) {
    Result<ConnectionHandle> handle = connect(parameters, waiter);
    if (handle) {
      Connection connection(std::move(*handle));
      if (kind == ConnectionKind::replication) return connection;
      const auto session = connection.run(kSqlSession, {}, "prepare", "the session", waiter);
      if (!session) return session.error();
      return connection;
    }
    if (!first_error) first_error = handle.error();
  }
  return *first_error;
}

Result<ResultHandle> Connection::await_result(const Waiter& waiter, core::Duration period,
                                              const std::function<bool()>& tick) {
  ResultHandle last;
  while (true) {
    const int pending = PQflush(handle_.get());
    if (pending < 0) return failure("send to", "Postgres");
    if (pending == 0 && PQisBusy(handle_.get()) == 0) {
      ResultHandle result(PQgetResult(handle_.get()));
      if (result == nullptr) return last;
      last = std::move(result);
      const ExecStatusType status = PQresultStatus(last.get());
      if (status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT) return last;
      continue;
    }
    const short events = pending == 0 ? POLLIN : POLLIN | POLLOUT;
    const core::Instant deadline = std::chrono::steady_clock::now() + period;
    switch (waiter.wait(PQsocket(handle_.get()), events, deadline)) {
      case Wait::called_off:
        return called_off("wait for Postgres");
      case Wait::timeout:
        if (tick()) break;
        return Error{core::Fault::retry,
                     "08006",
                     "wait for",
                     "Postgres",
                     "the session beside it was lost",
                     ""};
      case Wait::ready:
        if (PQconsumeInput(handle_.get()) == 0) return failure("read from", "Postgres");
    }
  }
}

Result<Rows> Connection::run(const std::string& sql, const Parameters& parameters,
                             const std::string& op, const std::string& subject,
                             const Waiter& waiter) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  // A walsender takes the simple protocol only.
  const int sent = parameters.empty() ? PQsendQuery(handle_.get(), sql.c_str())
                                      : PQsendQueryParams(handle_.get(), sql.c_str(),
                                                          static_cast<int>(values.size()), nullptr,
                                                          values.data(), nullptr, nullptr, 0);
  if (sent == 0) return failure(op, subject);
  Result<ResultHandle> result = await_result(waiter, std::chrono::hours(1), [] { return true; });
  if (!result) return result.error();
  switch (PQresultStatus(result->get())) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_COPY_BOTH:
    case PGRES_COPY_OUT:
      return Rows(std::move(*result));
    default:
      return error_of(result->get(), op, subject);
  }
}

Result<Rows> Connection::run_ticking(const std::string& sql, const std::string& op,
                                     const std::string& subject, const Waiter& waiter,
                                     core::Duration period, const std::function<bool()>& tick) {
  if (PQsendQuery(handle_.get(), sql.c_str()) == 0) return failure(op, subject);
  Result<ResultHandle> result = await_result(waiter, period, tick);
  if (!result) return result.error();
  if (PQresultStatus(result->get()) == PGRES_TUPLES_OK) return Rows(std::move(*result));
  return error_of(result->get(), op, subject);
}

Error Connection::failure(const std::string& op, const std::string& subject) const {
  return Error{
      core::Fault::retry, "08006", op, subject, first_line(PQerrorMessage(handle_.get())), ""};
}

Error error_of(const PGresult* result, const std::string& op, const std::string& subject) {
  const auto field = [result](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  std::string sqlstate = field(PG_DIAG_SQLSTATE);
  if (sqlstate.empty()) sqlstate = "08006";
  std::string text = field(PG_DIAG_MESSAGE_PRIMARY);
  if (text.empty()) text = first_line(PQresultErrorMessage(result));
  const std::string detail = field(PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) text += " (" + detail + ")";
  return Error{fault_of(trouble_of(sqlstate)), sqlstate, op, subject, text,
               field(PG_DIAG_MESSAGE_HINT)};
}

Error called_off(const std::string& op) {
  return Error{core::Fault::retry, "CALLED_OFF", op, "", "the relay is stopping", ""};
}

}  // namespace outbox::postgres
