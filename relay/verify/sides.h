#pragma once
// What is kept of an event on each side while both are compared: some dozen bytes, whatever the
// event weighs. Both sides are put in the order of the ids (sorter.h) and walked through together
// (comparison.h).

#include <cstdint>
#include <tuple>

#include "relay/core/event.h"
#include "relay/core/position.h"
#include "relay/verify/content.h"

namespace outbox::verify {

/// A number that stands for a topic in Scope::topics.
inline constexpr uint32_t kNoTopic = ~uint32_t{0};

/// What may become of an event that cannot be delivered.
enum class Refused : uint8_t { dead_letter, skipped };

/// A row of the source, as the record that the relay would make of it.
struct Row {
  core::Uuid id;
  Content content{};
  uint64_t key = 0;  // key_hash()
  uint64_t seq = 0;
  int64_t time_us = 0;        // of the row, since 1970; 0: unknown
  uint32_t topic = kNoTopic;  // where its route sends it; none: to the dead letters
  Refused refused = Refused::dead_letter;
  bool plain = true;  // a dead letter of it has the same content

  friend bool operator<(const Row& a, const Row& b) {
    return std::tie(a.id, a.seq) < std::tie(b.id, b.seq);
  }
};

/// Where a record lies.
struct Place {
  uint32_t topic = kNoTopic;
  uint32_t partition = 0;
  uint64_t offset = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

enum class RecordKind : uint8_t {
  // Rows of the journal's table come before records of the same event.
  letter_kept,      // open, or given up by an operator: the journal owns the event
  letter_replayed,  // it was delivered again: there must be a record
  letter_edited,    // an operator's copy of another letter: an event without a row
  delivered,
  dead_letter,  // the copy of a letter in a topic
};

/// A record of a topic that says which event it is; or a letter in the journal's table, of which
/// only the id counts, and how its record came, or will come.
struct Record {
  core::Uuid id;
  Content content{};
  uint64_t key = 0;  // key_hash()
  Place place;
  RecordPosition position;
  RecordKind kind = RecordKind::delivered;
  // Of a letter:
  bool passed = false;    // its key went on
  bool repaired = false;  // it was lost once, and filed by a repair

  friend bool operator<(const Record& a, const Record& b) {
    return std::tie(a.id, a.kind, a.place) < std::tie(b.id, b.kind, b.place);
  }
};

}  // namespace outbox::verify
