#pragma once
// ServerFacts: what Postgres says about itself, the role, the outbox table, the publication, the
// slot and the saved progress, read by a handful of queries. findings.h judges them; a start and
// `outbox doctor` read the same facts and so agree.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/capture_facts.h"
#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/options.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"

namespace outbox::postgres {

struct TableColumn {
  std::string name;
  std::string type;  // as format_type prints it
  uint32_t base_type = 0;
  bool is_enum = false;
  bool not_null = false;
};

/// What retention took out of the table (outbox.retention). It keeps off what some registered
/// pipeline has not delivered.
struct Removed {
  uint64_t below = 1;  // seq: rows below may be gone
  int64_t rows = 0;    // one by one; not counted in outbox.event
};

struct TableFacts {
  uint32_t oid = 0;
  bool partitioned = false;
  bool may_select = false;
  bool owned = false;                 // by a role that this login may act as
  bool payload_size_checked = false;  // some CHECK looks at a payload column
  bool unlogged = false;
  std::string sequence;  // of the seq column, "" if it has none
  bool sequence_readable = false;
  int64_t sequence_cache = 1;
  bool sequence_ascends = true;
  bool seq_by_default = false;  // the column's default takes the sequence's next value
  std::optional<uint64_t> first_seq_kept =
      std::nullopt;           // of outbox.event: where its oldest partition begins
  bool subscribed = false;    // a subscription of this database fills the table
  int64_t rows_inserted = 0;  // since the server's statistics began
  int64_t rows_deleted = 0;
  Removed removed = {};
  bool may_delete = false;
  std::vector<TableColumn> columns;
};

/// What Mode::status needs of the table beyond reading it.
struct MarkingFacts {
  bool may_mark = false;        // update of the status column
  bool may_tell_cause = false;  // update of the cause column
  bool id_indexed = false;      // some index begins with the id
  bool ready_indexed = false;   // some partial index is about READY
  bool may_emit = false;        // pg_logical_emit_message: it is public unless somebody revoked it
  std::vector<std::string> labels;  // of the status column, if it is an enum
};

struct PublicationFacts {
  uint32_t oid = 0;
  bool all_tables = false;
  bool has_table = false;
  bool inserts = false;
  bool updates = false;
  bool deletes = false;
  bool via_root = false;
  bool has_filter = false;
};

struct SlotFacts {
  std::string plugin;
  std::string database;
  std::string wal_status;
  std::string lost_because;  // Postgres 17 and later
  std::optional<int64_t> safe_wal_bytes;
  std::optional<int> active_pid;
  core::Lsn confirmed_flush;
  core::Lsn restart;
  bool temporary = false;
};

/// One row of outbox.progress.
struct ProgressFacts {
  std::string system_id;
  uint32_t timeline = 0;
  std::string slot;
  core::Lsn end;
  core::Lsn commit;
  uint64_t ordinal = 0;
  std::optional<uint64_t> delivered_seq;
  uint64_t epoch = 0;
};

enum class ProgressTable : uint8_t { usable, missing, denied };

/// outbox.emit(), where the source is outbox.event.
enum class Emit : uint8_t {
  missing,
  guarded,
  forgeable,  // everybody may write the same message without it
};

/// Places of which the server has a fixed number.
struct Places {
  int used = 0;
  int most = 0;
  bool full() const { return used >= most; }
};

struct ServerFacts {
  int version = 0;  // 150018 is 15.18
  bool in_recovery = false;
  std::string database;
  std::string user;
  bool may_replicate = false;
  bool may_create_publication = false;  // whoever would own it may, see publication_owner
  std::string publication_owner;  // of outbox.event's: the schema's owner, else the role itself
  std::string wal_level;
  std::string synchronous_commit;             // what a session of this role starts with
  bool others_commit_asynchronously = false;  // set for some role or database
  int64_t max_slot_wal_keep_mb = -1;          // -1: unlimited
  Places slots;
  Places walsenders;
  bool has_outbox_schema = false;  // outbox.create_publication exists
  ProgressTable progress_table = ProgressTable::missing;
  Emit emit = Emit::missing;
  /// After a failover: this process read on to here, beyond the end of the timeline that it was on.
  std::optional<core::Lsn> read_beyond_fork;
  bool emitted = false;  // it was called, if only once

  bool has_reads_emitted = false;  // of outbox.progress: V002 was applied
  bool has_retention = false;      // V003 was applied, and the role may read what it keeps

  std::optional<TableFacts> table;
  std::optional<MarkingFacts> marking;   // Mode::status, if there is a table
  std::optional<CaptureFacts> captures;  // Mode::wal, where updates are to be published
  std::optional<PublicationFacts> publication;
  std::optional<SlotFacts> slot;
  std::optional<ProgressFacts> progress;
};

/// Who the server is, as IDENTIFY_SYSTEM says.
struct ServerIdentity {
  std::string system_id;
  uint32_t timeline = 0;
  core::Lsn flushed;  // its WAL ends here or later
};

core::Result<ServerFacts> read_server_facts(Connection& sql, const PostgresOptions& options,
                                            const Waiter& waiter);

core::Result<std::optional<SlotFacts>> read_slot(Connection& sql, const std::string& slot,
                                                 const Waiter& waiter);

/// `timeline` of a SQL connection; 0 for a standby.
extern const char* const kTimelineQuery;

core::Result<ServerIdentity> read_identity(Connection& replication, const Waiter& waiter);

/// The first row, which has the columns of outbox.progress.
ProgressFacts progress_of(const Rows& rows);

}  // namespace outbox::postgres
