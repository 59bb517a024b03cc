#include "tests/bench/latency/commit_sender.h"

#include <array>
#include <stdexcept>

namespace outbox::bench {
namespace {

constexpr const char* kStatement = "publish";

}  // namespace

CommitSender::CommitSender(const std::string& database_url)
    : connection_(PQconnectdb(database_url.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  expect(PQprepare(connection_.get(), kStatement,
                   "select outbox.publish('order', $1, 'OrderPlaced', $2::jsonb)", 2, nullptr),
         PGRES_COMMAND_OK);
}

Clock::time_point CommitSender::send(size_t event) {
  const std::string key = std::to_string(event);
  const std::string payload = payload_of(event);
  const std::array<const char*, 2> values{key.c_str(), payload.c_str()};
  PGresult* result = PQexecPrepared(connection_.get(), kStatement, static_cast<int>(values.size()),
                                    values.data(), nullptr, nullptr, 0);
  const Clock::time_point committed = Clock::now();
  expect(result, PGRES_TUPLES_OK);
  return committed;
}

void CommitSender::expect(PGresult* result, ExecStatusType wanted) const {
  const std::unique_ptr<PGresult, Closer> owner(result);
  if (PQresultStatus(result) != wanted) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

}  // namespace outbox::bench
