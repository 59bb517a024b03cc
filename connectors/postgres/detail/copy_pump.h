#pragma once
// Moves rows of a COPY that has begun from a connection's socket into a batch, within a credit,
// without waiting. Thread: the one that owns the connection.

#include <libpq-fe.h>

#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "relay/core/source.h"

namespace outbox::postgres {

enum class Pumped : uint8_t {
  credit_used,
  socket_empty,
  ended,  // every row came; PQgetResult has the server's last word
  lost,   // PQerrorMessage says why
};

/// An Error is fatal and names the row (copy_reader.h).
core::Result<Pumped> pump_copy(PGconn* connection, SocketReader& socket, CopyReader& reader,
                               core::Batch& batch, core::Credit credit, core::WallTime now);

}  // namespace outbox::postgres
