#pragma once
// Window: the events of one stream that are not settled yet, in source order. A ring of cells;
// `full()` before `add()`. Events settle in any order; what may be confirmed is only the settled
// prefix (invariants 1 and 6).
//
// Boundaries (commit ends, keepalives) ride behind the events before them: each is remembered at
// the last cell that was there when it came, and passes when that cell leaves. With no cell it
// passes at once. So a keepalive can never pass an open event.
//
// Pure; owned by a Pipeline. An index counts all cells ever added; it names a cell until the cell
// has left.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "relay/core/chunk.h"
#include "relay/core/event.h"
#include "relay/core/outcome.h"
#include "relay/core/position.h"
#include "relay/core/sink.h"

namespace outbox::flow {

enum class CellState : uint8_t {
  queued,   // to be submitted: by the cursor, or by the journal's when the purpose is dead_letter
  in_lane,  // its key is not free
  outside,  // admitted by a sink, not completed
  settled,  // a durable store owns the event, or a rule skips it
};

struct Cell {
  core::Event event;
  core::ChunkRef chunk;
  const core::Destination* destination = nullptr;
  std::unique_ptr<core::Cause> cause;  // why it is refused; null: it is not, so far
  std::optional<core::Position> boundary;
  size_t bytes = 0;
  uint32_t route = 0;
  uint32_t attempts = 0;  // failed deliveries so far
  CellState state = CellState::queued;
  core::Purpose purpose = core::Purpose::deliver;
  bool blocks_key = false;  // a letter that comes back, and blocks its key until it is delivered
};

/// So far ahead cells and bytes are fetched: they were last touched thousands of events ago.
inline constexpr size_t kFetchAhead = 8;

class Window {
 public:
  explicit Window(size_t cells);  // a power of two

  bool full() const { return end_ - begin_ == ring_.size(); }
  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  size_t free_cells() const { return ring_.size() - size(); }

  /// Bytes of the events from the first open one on, settled or not: an open neighbour may keep the
  /// chunk of a settled event alive.
  size_t bytes() const { return bytes_; }

  /// Takes the event in and returns its index. The cell is queued.
  uint64_t add(const core::Event& event, core::ChunkRef chunk);
  void add_boundary(core::Position boundary);

  Cell& at(uint64_t index);
  const Cell& at(uint64_t index) const;
  /// Tells the processor that the cell, or the first bytes of its event, are needed soon. Bytes are
  /// fetched only for a cell before end().
  void fetch_cell(uint64_t index) const;
  void fetch_bytes(uint64_t index) const;
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }

  /// The next cell to submit; moved back by rewind().
  uint64_t cursor() const { return cursor_; }
  void advance_cursor();
  void rewind(uint64_t index);

  /// The same for the journal: the next cell that may be a dead letter to submit.
  uint64_t journal_cursor() const { return journal_cursor_; }
  void advance_journal_cursor() { ++journal_cursor_; }
  void rewind_journal(uint64_t index);

  /// Lets go of the cell's chunk; it leaves once everything before it is settled too.
  void settle(uint64_t index);

  /// Lets the settled prefix leave.
  void advance();

  /// The last boundary with everything before it settled; nullopt before the first.
  std::optional<core::Position> passed_boundary() const { return passed_boundary_; }
  /// The last event of the settled prefix, and its seq.
  std::optional<core::Position> settled_position() const { return settled_position_; }
  uint64_t settled_seq() const { return settled_seq_; }

 private:
  void pass(core::Position boundary);

  std::vector<Cell> ring_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t cursor_ = 0;
  uint64_t journal_cursor_ = 0;
  size_t bytes_ = 0;
  core::Position newest_;  // of whatever came last; order is asserted
  std::optional<core::Position> passed_boundary_;
  std::optional<core::Position> settled_position_;
  uint64_t settled_seq_ = 0;
};

}  // namespace outbox::flow
