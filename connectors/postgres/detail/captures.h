#pragma once
// Captures: the business tables whose changes become events, beside the outbox and in the same
// order. Knows the rules of the config, and of each of their tables what the session's last
// Relation message said.
//
// Owner: WalReader, which gives the events their positions. Thread: the pipeline's.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/capture_table.h"
#include "connectors/postgres/detail/change_id.h"
#include "connectors/postgres/detail/event_builder.h"
#include "connectors/postgres/detail/timelines.h"
#include "connectors/postgres/finding.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class Captures {
 public:
  explicit Captures(std::vector<CaptureRule> rules) : rules_(std::move(rules)) {}
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  /// Whether the config names any table.
  bool any() const { return !rules_.empty(); }

  /// Where LSNs come from: what an event's id is made of (change_id.h).
  void know_server(std::string system_id, Timelines timelines);

  void begin_session();

  /// Whether the config names the relation. An Error names a column that a rule cannot do without.
  core::Result<bool> describe(const Relation& relation);

  bool has(uint32_t relation) const { return tables_.contains(relation); }

  /// Counts a change of a relation that the config names, which every reading of a transaction must
  /// do for each of them, and in order.
  void count(core::Lsn lsn);

  /// What the change counted last makes: valid until the next message.
  core::Result<void> read(uint32_t relation, const RowChange& change);

  /// Whether it makes a first (0) or second (1) event.
  bool made(size_t half) const { return events_[half].rule != nullptr; }

  /// Fills `item`, but for position and commit time.
  void build(size_t half, EventBuilder& builder, core::Item& item);

  void note_truncated(std::span<const uint32_t> relations);

  /// What a person should read once. Emptied by the call.
  std::vector<Finding> take_notices() { return std::exchange(notices_, {}); }

 private:
  void note_once(const std::string& code, const std::string& what, const std::string& remedy);

  const std::vector<CaptureRule> rules_;
  ChangePlace place_;
  Timelines timelines_;

  // The session's.
  std::unordered_map<uint32_t, CaptureTable> tables_;
  const CaptureTable* table_ = nullptr;  // of the change read last
  CapturedEvents events_;

  // The process's.
  std::vector<Finding> notices_;
  std::unordered_set<std::string> told_;
};

}  // namespace outbox::postgres
