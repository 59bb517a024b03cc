#pragma once
// WalReader: what a walsender's messages mean. Takes CopyData messages one by one and appends items
// to a batch: outbox inserts and emitted events, commit ends and keepalives as boundaries. Pure: no
// socket, no clock; the conversation itself is WalSource's.
//
// CopyData, from the server:
//   w  XLogData   u64 start  u64 end  u64 sent_at  pgoutput message (pgoutput.h)
//   k  Keepalive  u64 wal_end  u64 sent_at  u8 reply_requested
//
// Positions. An event's is (final_lsn of its BEGIN, ordinal from 1 among the events of its
// transaction); a commit's boundary is (end_lsn, 0); a keepalive's outside a transaction is
// (wal_end, 0), and inside one it says nothing. Rows, and COMMIT with the next BEGIN, share LSNs,
// so only this pair is a resume point. Everything at or before handed() is dropped: after a
// reconnect the server repeats from its own confirmed LSN, and each event comes out once per
// process.
//
// With business tables (captures.h) each row change of a table that is not the outbox takes two
// ordinals, whether it makes two events, one or none: what the config makes of it moves no other
// event.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/captures.h"
#include "connectors/postgres/detail/copy_buffer.h"
#include "connectors/postgres/detail/event_builder.h"
#include "connectors/postgres/detail/outbox_table.h"
#include "connectors/postgres/detail/pgoutput.h"
#include "connectors/postgres/options.h"
#include "relay/core/lsn.h"
#include "relay/core/result.h"
#include "relay/core/source.h"

namespace outbox::postgres {

/// What came by since the process started. `transactions` counts those with an end.
struct ReaderCounters {
  uint64_t events = 0;
  uint64_t transactions = 0;
  uint64_t repeated = 0;         // events dropped because they were handed out before
  uint64_t other_tables = 0;     // rows of tables that are not the outbox
  uint64_t updates_ignored = 0;  // the publication publishes them, an outbox does not have them
  uint64_t deletes_ignored = 0;
  uint64_t forged = 0;     // messages that look like outbox.emit()'s but cannot be
  uint64_t truncates = 0;  // of the outbox; what was in it and not yet committed to the WAL is
                           // fine, but refill can no longer read it
};

enum class ReadStep : uint8_t {
  go_on,
  /// A row of a table that is not the outbox but has its columns, as its partitions do when the
  /// publication stops publishing via the root. It may not be skipped before suspect() is looked
  /// up: end the session, and call clear_suspect() if it is a stranger.
  suspect,
};

class WalReader {
 public:
  WalReader(TableName table, ColumnNames columns, core::ChunkPool& pool,
            OnUpdate on_update = OnUpdate::ignore, std::vector<CaptureRule> captures = {});

  /// Drops everything at or before `position` from now on.
  void resume_after(core::Position position);

  /// Rows with seq up to `seq` whose commit lies before `before` were polled while the slot was
  /// made (interim_poll.h): dropped like all that was handed out.
  void skip_polled(uint64_t seq, core::Lsn before) {
    polled_seq_ = seq;
    polled_before_ = before;
  }

  /// Whose WAL it is: needed before the first session, and again after a failover.
  void know_server(std::string system_id, Timelines timelines) {
    captures_.know_server(std::move(system_id), std::move(timelines));
  }

  /// A new walsender begins: no transaction is open, no relation known.
  void begin_session();

  /// Reads one message. An Error is fatal and names the LSN.
  core::Result<ReadStep> read(CopyBuffer& message, core::Batch& batch);

  /// The most items that one message makes: a change of a key makes two.
  size_t items_most() const { return captures_.any() ? 2 : 1; }

  /// The last position handed out, or resumed after.
  core::Position handed() const { return handed_; }

  /// The commit LSN of the last event handed out; zero before the first.
  core::Lsn last_event() const { return last_event_; }
  /// One was handed out by somebody else, a refill.
  void note_event(core::Lsn lsn) { last_event_ = std::max(last_event_, lsn); }

  /// How far the server's WAL was read; the `written` position of a status message.
  core::Lsn received() const { return received_; }

  bool in_transaction() const { return in_transaction_; }

  /// True once after a keepalive that asked for an answer.
  bool take_reply_requested();

  uint32_t suspect() const { return suspect_; }
  void clear_suspect() {
    if (suspect_ != 0) strangers_.insert(std::exchange(suspect_, 0));
  }

  const ReaderCounters& counters() const { return counters_; }

  /// What a person should read once. Emptied by the call.
  std::vector<Finding> take_notices() { return captures_.take_notices(); }

 private:
  core::Result<ReadStep> read_wal(CopyBuffer& message, core::Batch& batch);
  core::Result<void> read_keepalive(std::string_view bytes, core::Batch& batch);
  core::Result<ReadStep> on_relation(const Relation& relation);
  core::Result<ReadStep> on_insert(const Insert& insert, CopyBuffer& message, core::Batch& batch);
  core::Result<ReadStep> on_logical(const LogicalMessage& logical, CopyBuffer& message,
                                    core::Batch& batch);
  bool next_is_new();
  void hand_out(CopyBuffer& message, core::Batch& batch);
  void note_handed_out(core::Item& item, uint64_t ordinal);
  core::Result<ReadStep> on_other(const Message& message, core::Batch& batch);
  core::Result<ReadStep> on_other_insert(const Insert& insert, core::Batch& batch);
  void on_begin(const Begin& begin);
  core::Result<ReadStep> on_update(const Update& update, core::Batch& batch);
  core::Result<ReadStep> on_delete(const Delete& erase, core::Batch& batch);
  core::Result<ReadStep> on_change(uint32_t relation, const RowChange& change, core::Batch& batch);
  core::Result<ReadStep> on_captured(uint32_t relation, const RowChange& change,
                                     core::Batch& batch);
  core::Result<ReadStep> on_commit(const Commit& commit, core::Batch& batch);
  void count_truncate(const Truncate& truncate);
  core::Error at_this_lsn(core::Error error) const;
  void add_boundary(core::Lsn lsn, core::Batch& batch);
  core::Error broken(const std::string& what, std::string_view bytes) const;

  TableName table_name_;
  ColumnNames columns_;
  OnUpdate on_update_;
  EventBuilder builder_;
  Captures captures_;
  PgoutputDecoder decoder_;
  Message message_;
  OutboxRow row_;

  // The session's state: as far as this walsender's stream was read.
  std::optional<OutboxTable> table_;
  std::unordered_map<uint32_t, bool> other_tables_;  // true: has the outbox's columns
  bool in_transaction_ = false;
  Begin begin_;
  uint64_t ordinal_ = 0;
  core::Lsn message_lsn_;
  bool reply_requested_ = false;

  // The process's.
  core::Position handed_;
  core::Lsn last_event_;
  uint64_t polled_seq_ = 0;
  core::Lsn polled_before_;
  core::Lsn received_;
  uint32_t suspect_ = 0;
  std::unordered_set<uint32_t> strangers_;
  ReaderCounters counters_;
};

}  // namespace outbox::postgres
