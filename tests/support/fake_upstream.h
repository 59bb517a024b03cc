#pragma once
// FakeUpstream: one stream as the database keeps it: what was committed, in the order of the log,
// and how far the slot is confirmed. Survives the crashes of the relay that reads it (through a
// FakeSource).

#include <cstdint>
#include <deque>
#include <vector>

#include "relay/core/source.h"
#include "tests/support/event_maker.h"

namespace outbox::support {

class FakeUpstream {
 public:
  struct Entry {
    core::ItemKind kind = core::ItemKind::event;
    EventSpec event;  // of a boundary, only the position
  };

  /// A transaction: its events get the positions (commit_lsn, 1..n), its boundary (end_lsn, 0).
  void commit(uint64_t commit_lsn, uint64_t end_lsn, std::vector<EventSpec> events);

  /// A keepalive between transactions. One inside a transaction is not handed out by any source.
  void keepalive(uint64_t lsn);

  /// What the slot keeps. Only ever moves forward.
  void confirm(core::Position boundary);
  core::Position confirmed() const { return confirmed_; }

  const std::deque<Entry>& entries() const { return entries_; }  // addresses stay
  core::Position end() const { return end_; }

 private:
  void append(Entry entry);

  std::deque<Entry> entries_;
  core::Position confirmed_;
  core::Position end_;
};

}  // namespace outbox::support
