#pragma once
// StatusSession: everything between "no connection" and "the first read" of Mode::status, in one
// background job. It takes no shard yet and needs nothing of our schema: progress is the table's
// own status column.
//
// The session tells the server to end it when it is silent for 15 s, or its network is: a relay
// that hangs loses its shards to another. Its lease of 10 s is over before that.

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/status_queries.h"
#include "relay/core/result.h"

namespace outbox::postgres {

struct StatusSession {
  ConnectionHandle connection;  // in non-blocking mode
  ServerIdentity identity;
  uint64_t epoch = 0;  // the server's clock in ms
  int backend_pid = 0;
  StatusQueries queries;
  std::vector<Finding> notices;
};

/// Runs on a worker thread. Errors as start_session's.
core::Result<StatusSession> start_status_session(const SessionRequest& request, Phase& phase,
                                                 const Waiter& waiter);

}  // namespace outbox::postgres
