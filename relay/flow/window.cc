#include "relay/flow/window.h"

#include <bit>
#include <utility>

#include "relay/core/assert.h"
#include "relay/flow/planted.h"

namespace outbox::flow {
namespace {

constexpr size_t kCacheLineBytes = 64;

}  // namespace

Window::Window(size_t cells) : ring_(cells) { OUTBOX_ASSERT(std::has_single_bit(cells)); }

uint64_t Window::add(const core::Event& event, core::ChunkRef chunk) {
  OUTBOX_ASSERT(!full());
  OUTBOX_ASSERT(event.position > newest_);
  newest_ = event.position;
  Cell& cell = ring_[end_ & (ring_.size() - 1)];
  cell.event = event;
  cell.chunk = std::move(chunk);
  cell.destination = nullptr;
  cell.cause.reset();
  cell.boundary.reset();
  cell.bytes = event.bytes();
  cell.attempts = 0;
  cell.state = CellState::queued;
  cell.purpose = core::Purpose::deliver;
  cell.blocks_key = false;
  bytes_ += cell.bytes;
  return end_++;
}

void Window::add_boundary(core::Position boundary) {
  OUTBOX_ASSERT(boundary >= newest_);
  newest_ = boundary;
  if (empty() || kPlantKeepalivePassesEvents) {
    pass(boundary);
  } else {
    at(end_ - 1).boundary = boundary;
  }
}

const Cell& Window::at(uint64_t index) const {
  OUTBOX_ASSERT(index >= begin_ && index < end_);
  return ring_[index & (ring_.size() - 1)];
}

Cell& Window::at(uint64_t index) {
  OUTBOX_ASSERT(index >= begin_ && index < end_);
  return ring_[index & (ring_.size() - 1)];
}

void Window::fetch_cell(uint64_t index) const {
  const Cell* cell = &ring_[index & (ring_.size() - 1)];
  const char* bytes = reinterpret_cast<const char*>(cell);
  for (size_t at = 0; at < sizeof *cell; at += kCacheLineBytes) __builtin_prefetch(bytes + at);
}

// What names and routes an event lies close together in its row, before the payload.
void Window::fetch_bytes(uint64_t index) const {
  if (index >= end_) return;
  const char* bytes = ring_[index & (ring_.size() - 1)].event.aggregate_type.data();
  __builtin_prefetch(bytes);
  __builtin_prefetch(bytes + kCacheLineBytes);
}

void Window::rewind(uint64_t index) {
  OUTBOX_ASSERT(index >= begin_ && index < end_);
  if (index < cursor_) cursor_ = index;
}

void Window::rewind_journal(uint64_t index) {
  OUTBOX_ASSERT(index >= begin_ && index < end_);
  if (index < journal_cursor_) journal_cursor_ = index;
}

void Window::settle(uint64_t index) {
  Cell& cell = at(index);
  OUTBOX_ASSERT(cell.state != CellState::settled);
  cell.state = CellState::settled;
  cell.chunk.reset();
  cell.cause.reset();
  if (kPlantHighestAcknowledgement && cell.boundary) pass(*cell.boundary);
}

void Window::advance_cursor() {
  if (kPlantConfirmBeforeDurable && at(cursor_).boundary) pass(*at(cursor_).boundary);
  ++cursor_;
}

void Window::advance() {
  while (!empty() && at(begin_).state == CellState::settled) {
    Cell& cell = at(begin_);
    settled_position_ = cell.event.position;
    if (cell.event.seq > settled_seq_) settled_seq_ = cell.event.seq;
    if (cell.boundary) pass(*cell.boundary);
    bytes_ -= cell.bytes;
    ++begin_;
  }
  if (cursor_ < begin_) cursor_ = begin_;
  if (journal_cursor_ < begin_) journal_cursor_ = begin_;
}

void Window::pass(core::Position boundary) {
  if (!passed_boundary_ || boundary > *passed_boundary_) passed_boundary_ = boundary;
}

}  // namespace outbox::flow
