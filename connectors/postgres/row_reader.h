#pragma once
// RowReader: rows of the outbox table in the order of their numbers, as the events that the relay
// makes of them; for `outbox verify`. Changes nothing.
//
// Thread: one, which waits for the server. The chunk pool outlives it. Rows come in pieces, each
// with a snapshot of its own, so that a long read keeps no old rows from being vacuumed.
//
// What is read may be removed by retention meanwhile: facts() asked again afterwards says so.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/copy_statement.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/options.h"
#include "relay/core/chunk.h"
#include "relay/core/clock.h"
#include "relay/core/event.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// What is known of the table's rows at a moment.
struct RowFacts {
  /// Every committed row with a number up to here is settled (outbox.progress.delivered_seq);
  /// absent: nothing is proven yet.
  std::optional<uint64_t> settled_seq;
  uint64_t last_seq = 0;       // given out so far
  uint64_t first_seq = 0;      // of the rows that are there; 0: there is none
  uint64_t removed_below = 1;  // retention may have removed rows below
  bool rows_deleted = false;   // somebody deleted rows of the table, as far as the server knows
  core::WallTime now;          // its clock
};

class RowReader {
 public:
  /// Connects. Refuses a table without numbers, which cannot be compared.
  static core::Result<std::unique_ptr<RowReader>> open(const PostgresOptions& options,
                                                       core::ChunkPool& pool);
  /// For open().
  RowReader(const PostgresOptions& options, Connection sql, ServerFacts server,
            core::ChunkPool& pool);

  core::Result<RowFacts> facts();

  /// The lowest number from which on rows were written at `time` or later; last_seq + 1 if there is
  /// none. By `created_at`, which rises with the numbers but for transactions that overlap.
  core::Result<uint64_t> first_since(core::WallTime time);

  /// Hands out the first rows, some thousand, with after < seq <= until. Returns up to which number
  /// that is all: `until` once no more are left.
  using Use = std::function<core::Result<void>(const core::Event& event)>;
  core::Result<uint64_t> read(uint64_t after, uint64_t until, const Use& use);

  /// Every letter of the pipeline in outbox.dead_letter, none where the schema is older than it.
  struct Letter {
    core::Uuid id;
    enum class State : uint8_t { kept, replayed } state = State::kept;
    bool edited = false;    // a copy of another letter
    bool passed = false;    // its key went on while it was a letter
    bool repaired = false;  // it was found lost once (core::kLostCode)
  };
  core::Result<void> letters(const std::function<core::Result<void>(const Letter&)>& use);

  /// False where rows have no time of their own: then an event's is that of the read.
  bool has_times() const;

  /// Other events than rows leave this source: outbox.emit() was used, or tables are captured.
  bool has_rowless_events() const { return server_.emitted || !options_.captures.empty(); }

 private:
  core::Result<void> take_rows(const Use& use);
  core::Result<void> await_end();
  core::Error lost(const std::string& why) const;
  std::string subject() const { return "table " + options_.table.text(); }

  PostgresOptions options_;
  EventFd never_;
  Waiter waiter_;
  Connection sql_;
  ServerFacts server_;
  CopyStatement statement_;
  CopyReader reader_;
  core::Batch batch_;
  core::WallTime now_;
};

}  // namespace outbox::postgres
