#pragma once
// Refill: what a slot that is gone would have brought, read from the table instead.
//
// A new slot begins at an LSN and exports the snapshot of that moment: what is visible in it was
// committed before, everything else comes through the slot. So the rows above `delivered_seq` in
// that snapshot and then the slot's stream are all there is, without a hole between them; outside
// of the snapshot (a plain SELECT before or after) there would be one, or rows would come twice.
// Rows that were delivered since `delivered_seq` was proven come again.
//
// Progress moves only when the last row is settled: to the slot's begin. A relay that ends before
// finds a slot ahead of its progress, and does all of it again.
//
// The slot is nobody's while the table is read, so the pipeline's lock is held meanwhile.

#include <cstdint>
#include <functional>
#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/copy_statement.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

class Phase;

struct MadeSlot {
  core::Lsn begins;
  std::string snapshot;  // for as long as the replication connection does nothing else
};

/// What to do while Postgres waits, about once a second: `asked_at` is when `sql`, which holds the
/// pipeline's lock, was asked something that it answered. Returns what people should read, if
/// anything.
using Meanwhile = std::function<std::string(core::Instant asked_at)>;

/// Makes the source's slot. Postgres waits for the end of every open write transaction of the
/// cluster; `phase` says for whom. An Error, too, if `sql` is lost meanwhile. Should this process
/// end, the server notices within seconds and gives the half-made slot up.
core::Result<MadeSlot> make_slot(Connection& sql, Connection& replication,
                                 const PostgresOptions& options, Phase& phase, const Waiter& waiter,
                                 const Meanwhile& meanwhile);

/// "begin", in the slot's snapshot.
core::Result<void> enter_snapshot(Connection& sql, const MadeSlot& slot, const Waiter& waiter);

/// Writes WAL until its end lies beyond `lsn`, so that a slot made afterwards begins beyond it:
/// positions of one process never go back.
core::Result<void> pass_by_wal(Connection& sql, core::Lsn lsn, const Waiter& waiter);

struct Refill {
  ConnectionHandle connection;  // in the slot's snapshot and in non-blocking mode
  int backend_pid = 0;
  core::Lsn slot_begins;
  uint64_t after_seq = 0;  // every committed row up to here was delivered
  CopyStatement statement;
};

/// Drops what is left of the old slot, makes the new one and enters its snapshot. The caller holds
/// the pipeline's lock on `sql`, which is taken over.
core::Result<Refill> begin_refill(Connection& sql, Connection& replication,
                                  const ServerFacts& facts, uint64_t after_seq,
                                  const PostgresOptions& options, Phase& phase,
                                  const Waiter& waiter, const Meanwhile& meanwhile);

}  // namespace outbox::postgres
