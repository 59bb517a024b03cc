#pragma once
// Comparison: rows of the source against records of the topics. Told everything once, in any order;
// needs a fixed amount of memory (kComparisonBytes) whatever the numbers are, and temporary files
// of about 250 bytes an event.
//
//   add() every row and record of the range, compare() once, report() once
//
// How it works. Both sides are sorted by id and walked through together, which finds what is on one
// side only, what differs and what comes twice. Whether a row without a record is *lost*, or a
// record without a row *foreign*, depends on where the range begins, which is known only then; so
// these wait, sorted by number or place, for report(). First arrivals are sorted once more by
// key, partition and offset: along each key the numbers of the rows must rise. Rows without a
// record come behind those of their key, which shows whether later ones are there already.
//
// Order. The number of a row is the order of a source that is polled. In the WAL it is the order of
// commits: two transactions at the same time may come in either order. So a pair whose numbers fall
// is out of order only if the positions in the records' headers do not rise either; records from
// the WAL without positions (format debezium) are not judged.
//
// Thread: one. No clock. Errors are those of temporary files.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "relay/core/result.h"
#include "relay/verify/report.h"
#include "relay/verify/sides.h"
#include "relay/verify/sorter.h"

namespace outbox::verify {

inline constexpr size_t kSorterBytes = 12 * 1024 * 1024;
inline constexpr size_t kComparisonBytes = 4 * kSorterBytes;

/// A topic as it is, for judging what is missing in it.
struct TopicState {
  std::string name;
  enum class Found : uint8_t { exists, missing } found = Found::exists;
  bool trimmed = false;    // some partition does not begin at offset 0 any more
  bool compacted = false;  // keeps the newest record of a key
  /// A record of this time or later cannot have been removed by the broker on its own; absent where
  /// that is not known. Microseconds since 1970.
  std::optional<int64_t> kept_from_us;
  bool has_positions = true;  // records of ours have the header `position`
};

/// What is compared, and what is known about it.
struct Scope {
  uint64_t from_seq = 0;
  uint64_t settled_seq = 0;
  /// Rows below from_seq are gone or were not read, so their records have no row here.
  bool begins_late = false;
  /// Events come from the WAL: in the order of commits, and only from the slot on.
  bool from_wal = false;
  /// There are events without a row.
  bool rowless_events = false;
  std::vector<TopicState> topics;
};

class Comparison {
 public:
  /// `folder`: for temporary files. `sorter_bytes`: a quarter of the memory it may take.
  explicit Comparison(const std::string& folder, size_t sorter_bytes = kSorterBytes);

  core::Result<void> add(const Row& row);
  core::Result<void> add(const Record& record);
  /// A record that does not say which event it is.
  core::Result<void> add_without_id(const Place& place);

  uint64_t rows() const { return rows_.count(); }
  uint64_t records() const { return records_.count() + without_id_; }

  /// Called with how many of rows() and records() were walked through.
  using Progress = std::function<void(uint64_t done)>;
  core::Result<void> compare(const Scope& scope, const Progress& progress);

  /// Rows without a record that may be lost, once compare() is done.
  uint64_t missing() const { return missing_; }

  /// Tells every finding, by kind, in the order of rows or places.
  core::Result<Summary> report(const Scope& scope, const Tell& tell);

 private:
  /// A finding that is not worded yet; or, lost and foreign, not decided.
  struct Suspect {
    Anomaly anomaly = Anomaly::lost;
    Refused refused = Refused::dead_letter;
    bool has_id = true;
    uint64_t seq = 0;
    Place place;
    Place first;             // the record that it repeats, or comes behind
    uint64_t ahead_seq = 0;  // of the row that it comes behind; of a lost one: that passed it
    core::Uuid id;
    int64_t time_us = 0;
    RecordPosition position;

    friend bool operator<(const Suspect& a, const Suspect& b) {
      return std::tie(a.anomaly, a.seq, a.place) < std::tie(b.anomaly, b.seq, b.place);
    }
  };

  /// The first record of an event that has a key; or that there is none.
  struct Arrival {
    enum class Standing : uint8_t {
      judged,
      late,     // of a letter whose key went on: it may lie behind later ones
      missing,  // behind all records of the key: has no place but a topic
    };
    uint64_t key = 0;
    Place place;
    uint64_t seq = 0;
    RecordPosition position;
    core::Uuid id;
    int64_t time_us = 0;  // of a missing one's row
    Standing standing = Standing::judged;

    bool missing() const { return standing == Standing::missing; }
    friend bool operator<(const Arrival& a, const Arrival& b) {
      const bool a_missing = a.missing();
      const bool b_missing = b.missing();
      return std::tie(a.place.topic, a.key, a_missing, a.place.partition, a.place.offset, a.seq) <
             std::tie(b.place.topic, b.key, b_missing, b.place.partition, b.place.offset, b.seq);
    }
    bool same_key(const Arrival& other) const {
      return place.topic == other.place.topic && key == other.key;
    }
    bool same_lane(const Arrival& other) const {
      return same_key(other) && place.partition == other.place.partition;
    }
  };

  struct Group;

  core::Result<void> walk(const Progress& progress);
  core::Result<void> take_group(Group& group);
  core::Result<void> take_rows(const Group& group);
  static void take_letter(Group& group, const Record& letter);
  core::Result<void> take_record(Group& group, const Record& record);
  core::Result<void> miss(const Row& row);
  void note_borders(const Row& row, const Record& first);
  core::Result<void> find_order();
  core::Result<void> judge_order(const Arrival& arrival, std::optional<Arrival>& ahead);
  core::Result<void> miss_behind(const Arrival& missing, const std::optional<Arrival>& newest);
  bool behind(const Arrival& arrival, const Arrival& ahead) const;

  void judge_missing(const Suspect& suspect, const Tell& tell);
  void judge_foreign(const Suspect& suspect, const Tell& tell);
  bool of_before(const Suspect& suspect) const;
  void tell(Suspect suspect, std::string detail, const Tell& tell) const;
  std::string in_words(const Place& place) const;

  Scope scope_;
  Summary summary_;
  Sorter<Row> rows_;
  Sorter<Record> records_;
  Sorter<Arrival> arrivals_;
  Sorter<Suspect> suspects_;
  uint64_t without_id_ = 0;
  uint64_t missing_ = 0;
  std::optional<uint64_t> first_delivered_;  // the lowest number that has a record
  core::Position border_;  // WAL: the records of the first rows lie at or before it
};

}  // namespace outbox::verify
