#pragma once
// Horizon: up to which number of the outbox's sequence nothing can come any more. What a poll reads
// at or below it is all there is, for ever, and in order; so a cursor that moves there skips no
// late commit (invariants 1 and 3) and no row has to be updated.
//
// The argument. A writer takes RowExclusiveLock on the table before its nextval(), and keeps it
// until its commit is visible. A poll asks three things in three statements, in this order:
//
//   H        the sequence's last value
//   holders  who holds RowExclusiveLock on the table or a partition of it, by virtual transaction
//   rows     with a snapshot taken after both
//
// A number n <= H was given out before the holders were read, so its transaction is either among
// the holders, or has ended and is visible to the snapshot. A holder's numbers lie above a bound:
//   - first seen in this poll: it was no holder in the last one, so it took its lock after the last
//     H was read, and its numbers lie above the last H;
//   - seen before: it keeps its bound. A savepoint that was rolled back gives the lock back: then
//     the transaction is no holder for a moment, and whatever it locks later is new;
//   - one whose name is not the one it began with (a prepared transaction, as servers before 14.1
//     name it, and all after a restart), and everybody after a reconnect, may have been a holder
//     for long: its numbers lie above what was the horizon before, or was saved, because that never
//     passed them while it was one.
// The horizon is the smallest of H and the bounds. It never moves back.
//
// One statement for all three would read the rows with a snapshot from before the holders: a commit
// in between would be in neither. H after the holders would let a writer that begins in between
// pass unseen. Sequences with CACHE above 1 give numbers out before the lock: refused at the start.
//
// Pure: told what the statements said. Owned by PollSource.

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

namespace outbox::postgres {

/// One who may still commit rows. `transaction` is pg_locks.virtualtransaction, which a prepared
/// transaction keeps, or "-1/<xid>": then it is `renamed`.
struct Holder {
  std::string transaction;
  bool renamed = false;
  std::string who;  // for people: pid, program, query, or the prepared transaction's name
};

class Horizon {
 public:
  /// Nothing at or below `saved` can come any more; nobody is known.
  void begin(uint64_t saved);

  /// What one poll's first two statements said. Returns the horizon.
  uint64_t observe(uint64_t last_value, std::span<const Holder> holders);

  uint64_t value() const { return value_; }

  /// Who holds the horizon below the sequence's last value (Holder::who); empty when nobody does.
  const std::string& held_back_by() const { return held_back_by_; }

 private:
  uint64_t value_ = 0;
  uint64_t newest_bound_ = 0;  // for holders seen first in the next poll
  std::unordered_map<std::string, uint64_t> bounds_;
  std::string held_back_by_;
};

}  // namespace outbox::postgres
