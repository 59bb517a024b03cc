#pragma once
// Suspects: the records of one refused batch. One of them is the offender, nobody knows which. They
// are sent again in groups of half of what is left, each group alone in its partition, until a
// single record by itself is refused: about log2(n) refusals instead of n round trips.
//
// Pure. One for each partition; while it is not empty nothing younger of that partition is sent.

#include <cstddef>
#include <deque>
#include <vector>

#include "relay/core/position.h"

namespace outbox::kafka {

class Suspects {
 public:
  bool empty() const { return left_ == 0; }
  size_t size() const { return left_; }
  size_t outside() const { return outside_; }

  /// A batch of several was refused. It replaces what was suspected before: the offender is among
  /// these, and whoever else is guilty will be refused again.
  void accuse(std::vector<core::Ticket> batch);

  /// May this record be sent now? Only while not empty.
  bool admits(core::Ticket ticket) const;
  /// It was sent.
  void sent(core::Ticket ticket);

  /// All that was outside came back: it may be sent again.
  void recall();

  /// Delivered, or refused by itself. True when this opens the partition for more: the next group,
  /// or everything.
  bool acquit(core::Ticket ticket);

  void clear();

 private:
  struct Entry {
    core::Ticket ticket;
    bool acquitted = false;
  };

  std::deque<Entry>::const_iterator find(core::Ticket ticket) const;
  void open_group();

  std::deque<Entry> entries_;  // by ticket
  size_t left_ = 0;            // not acquitted
  size_t outside_ = 0;         // of these, sent and not back
  size_t room_ = 0;            // how many more may go with this group
};

}  // namespace outbox::kafka
