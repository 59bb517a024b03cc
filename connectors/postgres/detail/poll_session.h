#pragma once
// PollSession: everything between "no connection" and "the first poll", in one background job.
//
// The order is the safety of a start, as in session.h. An advisory lock of the session lets one
// relay poll for a pipeline; whoever has it takes the next epoch, so that saves of an earlier
// holder are refused; only then is progress read. A reconnect takes the lock again, but no epoch:
// it checks that ours is still the newest. The server frees the lock when it sees the connection
// end, and is told to look for that itself, so that a relay whose network is gone is replaced
// within seconds.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/copy_statement.h"
#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/look.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/options.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// The statements of a poll; poll_reader.h says what they are for.
struct PollStatements {
  LookQueries look;
  std::string flush;  // commits something of its own, which makes all that was written before it
                      // durable
  CopyStatement rows;
};
core::Result<PollStatements> prepare_poll(Connection& sql, const TableFacts& table,
                                          const PostgresOptions& options, const Waiter& waiter);

/// A connection on which a poll's statements see what they must: each what is committed by then.
core::Result<Connection> open_for_polling(const PostgresOptions& options, const Waiter& waiter);

struct PollSession {
  ConnectionHandle connection;  // in non-blocking mode
  ServerIdentity identity;
  int backend_pid = 0;
  uint64_t epoch = 0;
  uint64_t delivered_seq = 0;  // saved: nothing at or below it can come any more
  std::vector<Finding> notices;
  PollStatements statements;
};

/// Runs on a worker thread. Errors as start_session's.
core::Result<PollSession> start_poll_session(const SessionRequest& request, Phase& phase,
                                             const Waiter& waiter);

}  // namespace outbox::postgres
