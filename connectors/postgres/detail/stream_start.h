#pragma once
// How a walsender is made to stream. Runs inside a background job.
//
// With business tables every value comes as text, in the form that this relay fixes, whatever a
// database, a role or a server has set: DateStyle and the like would change an event's bytes from
// one start to the next. Without, values come in their binary form, which is cheaper.

#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/options.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

enum class Messages : uint8_t { unread, read };

/// Acquires the slot: Postgres gives it to one walsender only. Transactions whose commit record
/// lies below `from` are not sent again; the slot's own position holds where it is higher. A server
/// that crashed or restarted may have forgotten minutes of what was confirmed: before version 17 it
/// writes a slot down only when its restart_lsn moves.
core::Result<void> start_streaming(Connection& replication, const PostgresOptions& options,
                                   core::Lsn from, Messages messages, const Waiter& waiter);

/// `error` of it, with who holds the slot, if that is the trouble.
core::Error held_by(Connection& sql, const std::string& slot, core::Error error,
                    const Waiter& waiter);

}  // namespace outbox::postgres
