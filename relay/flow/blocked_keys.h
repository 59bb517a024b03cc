#pragma once
// BlockedKeys: the keys that have held or parked letters in the journal (invariant 3). A new event
// of such a key must not pass them: it becomes a letter behind them. While all letters of a key are
// on their way back to the sink at this moment, the key is *draining*: its new events wait in
// memory for the few milliseconds instead, else a busy key would park its own followers for ever.
//
// Keys are hashes: two keys that share one share a fate, and no order is lost.
//
// Pure; owned by a Pipeline. Bounded by kBlockedKeysMax, which the pipeline obeys.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "relay/core/position.h"

namespace outbox::flow {

/// Beyond it the pipeline takes nothing in: something larger than a key is broken. About 5 MB.
inline constexpr size_t kBlockedKeysMax = 100'000;

class BlockedKeys {
 public:
  enum class Passage : uint8_t {
    free,      // nothing stands before the key's next event
    draining,  // wait: its letters are being delivered
    blocked,   // the next event goes behind its letters
  };

  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  bool full() const { return keys_.size() >= kBlockedKeysMax; }
  /// Of the event in this cell. One that lies before the first of the key's letters, and came back
  /// after that was refused, passes.
  Passage passage(uint64_t key, core::Ticket ticket) const;

  /// `letters` more of this key are in the journal, or on their way there. `from`: the cell that
  /// becomes one; nothing for those of an earlier process.
  void add(uint64_t key, uint64_t letters, std::optional<core::Ticket> from = std::nullopt);
  /// One of them turned out to be an earlier process's, which was counted at the start.
  void forget(uint64_t key) { settle(key, 0); }

  /// One of them comes back for a delivery; then exactly one of the two below.
  void replay_begins(uint64_t key) { ++keys_.at(key).on_their_way; }
  void replay_delivered(uint64_t key) { settle(key, 1); }
  void replay_put_back(uint64_t key);

  /// Rises whenever a key stopped draining, so that its events that wait look again.
  uint64_t generation() const { return generation_; }

 private:
  struct Letters {
    std::optional<core::Ticket> from;
    uint64_t open = 0;
    uint64_t on_their_way = 0;
  };

  void settle(uint64_t key, uint64_t on_their_way);

  std::unordered_map<uint64_t, Letters> keys_;
  uint64_t generation_ = 0;
};

}  // namespace outbox::flow
