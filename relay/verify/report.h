#pragma once
// What a comparison says: findings one by one, and the counts.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace outbox::verify {

enum class Anomaly : uint8_t {
  lost,          // settled in the source, and nowhere in topics and dead letters
  altered,       // a record with the id of an event and other bytes
  out_of_order,  // behind a later event of the same key
  foreign,       // a record that is no event of the source
  duplicate,     // the same event once more: allowed, since delivery is at least once
};

/// "lost", "altered", "out_of_order", "foreign", "duplicate".
const char* to_string(Anomaly anomaly);

/// What Jepsen's Kafka workload calls it; empty where it has no name for it.
const char* jepsen_name(Anomaly anomaly);

struct RecordPlace {
  std::string topic;
  uint32_t partition = 0;
  uint64_t offset = 0;
};

struct Finding {
  Anomaly anomaly = Anomaly::lost;
  std::string jepsen;
  std::string id;                        // empty: the record says none
  std::optional<uint64_t> seq;           // of the row
  std::string topic;                     // where it is, or should be; empty: nowhere
  std::optional<RecordPlace> record;     // absent for what is lost
  std::optional<uint64_t> overtaken_by;  // lost: the latest row of its key that has a record
  std::string detail;                    // a sentence for people, without a full stop
};

using Tell = std::function<void(const Finding&)>;

struct Summary {
  uint64_t from_seq = 0;     // rows from here on were compared
  uint64_t settled_seq = 0;  // up to here every committed row is settled
  uint64_t rows = 0;         // compared, and settled
  uint64_t records = 0;      // read, dead letters too

  uint64_t delivered = 0;     // rows with their record
  uint64_t dead_letters = 0;  // rows with a dead letter, and no record
  uint64_t skipped = 0;       // rows without a record, of routes with on_failure = "skip"
  uint64_t unseen = 0;        // rows behind settled_seq, still on their way
  uint64_t repaired = 0;      // rows whose record a repair brought back
  uint64_t late = 0;  // records of replayed letters behind later ones: their key had gone on

  uint64_t lost = 0;
  uint64_t altered = 0;
  uint64_t out_of_order = 0;
  uint64_t foreign = 0;
  uint64_t duplicates = 0;

  // Rows without a record of which nobody can say whether they are lost.
  uint64_t log_removed = 0;  // so old that Kafka's own retention may have removed the record
  uint64_t compacted = 0;    // the topic keeps the newest record of a key only
  uint64_t before_slot = 0;  // older than all that was delivered: rows of before the slot

  // Records without a row of which nobody can say whether they are foreign.
  uint64_t before_range = 0;  // of rows that retention removed, or before --since
  uint64_t edited = 0;        // of letters that an operator edited: events of their own
  uint64_t rowless = 0;       // the source has events without a row: outbox.emit(), captures
  uint64_t same_id = 0;       // rows that repeat the id of another row

  uint64_t not_provable() const { return log_removed + compacted + before_slot; }
  /// Nothing lost, nothing that is not as the source has it. Repeats are allowed.
  bool clean() const { return lost + altered + out_of_order + foreign == 0; }
};

}  // namespace outbox::verify
