#include "relay/verify/comparison.h"

#include <algorithm>
#include <utility>

namespace outbox::verify {
namespace {

using core::Result;

// Rows whose transactions may have overlapped with those of rows before the range: the commits of
// one side are not all before those of the other.
constexpr uint64_t kBorderRows = 10'000;
// Rows with one and the same id whose contents are kept at a time.
constexpr size_t kSameIdMost = 16;
constexpr uint64_t kProgressEvery = 65'536;

}  // namespace

/// All rows of one id, and what was seen of its records.
struct Comparison::Group {
  std::optional<Row> row;
  std::vector<Content> contents;
  std::optional<Record> first;  // that was delivered
  uint64_t dead_letters = 0;    // copies in topics
  bool kept = false;            // as a letter
  bool replayed = false;
  bool edited = false;
  bool passed = false;    // its key went on while it was a letter
  bool repaired = false;  // a repair made it a letter
  core::Uuid id;
};

Comparison::Comparison(const std::string& folder, size_t sorter_bytes)
    : rows_(folder, sorter_bytes),
      records_(folder, sorter_bytes),
      arrivals_(folder, sorter_bytes),
      suspects_(folder, sorter_bytes) {}

Result<void> Comparison::add(const Row& row) { return rows_.add(row); }

Result<void> Comparison::add(const Record& record) { return records_.add(record); }

Result<void> Comparison::add_without_id(const Place& place) {
  ++without_id_;
  Suspect suspect;
  suspect.anomaly = Anomaly::foreign;
  suspect.has_id = false;
  suspect.place = place;
  return suspects_.add(suspect);
}

Result<void> Comparison::compare(const Scope& scope, const Progress& progress) {
  scope_ = scope;
  for (const auto finish : {+[](Comparison& self) { return self.rows_.finish(); },
                            +[](Comparison& self) { return self.records_.finish(); }}) {
    if (auto finished = finish(*this); !finished) return finished;
  }
  if (auto walked = walk(progress); !walked) return walked;
  if (auto finished = arrivals_.finish(); !finished) return finished;
  if (auto ordered = find_order(); !ordered) return ordered;
  return suspects_.finish();
}

Result<void> Comparison::walk(const Progress& progress) {
  auto row = rows_.next();
  auto record = records_.next();
  uint64_t done = 0;
  while (row && record && (*row || *record)) {
    Group group;
    group.id = !*record || (*row && (*row)->id < (*record)->id) ? (*row)->id : (*record)->id;
    while (row && *row && (*row)->id == group.id) {
      if (group.row) ++summary_.same_id;
      if (!group.row) group.row = **row;
      if (group.contents.size() < kSameIdMost) group.contents.push_back((*row)->content);
      row = rows_.next();
      if (++done % kProgressEvery == 0) progress(done);
    }
    while (record && *record && (*record)->id == group.id) {
      if (auto taken = take_record(group, **record); !taken) return taken;
      record = records_.next();
      if (++done % kProgressEvery == 0) progress(done);
    }
    if (auto taken = take_rows(group); !taken) return taken;
  }
  if (!row) return row.error();
  if (!record) return record.error();
  progress(done);
  return {};
}

void Comparison::take_letter(Group& group, const Record& letter) {
  group.kept |= letter.kind == RecordKind::letter_kept;
  group.replayed |= letter.kind == RecordKind::letter_replayed;
  group.edited |= letter.kind == RecordKind::letter_edited;
  group.passed |= letter.passed;
  group.repaired |= letter.repaired;
}

Result<void> Comparison::take_record(Group& group, const Record& record) {
  if (record.kind < RecordKind::delivered) {
    take_letter(group, record);
    return {};
  }
  ++summary_.records;
  Suspect suspect;
  suspect.id = record.id;
  suspect.place = record.place;
  suspect.position = record.position;
  if (record.kind == RecordKind::dead_letter) {
    ++group.dead_letters;
    if (!group.row || !group.row->plain) return {};
  } else if (group.edited) {
    ++summary_.edited;
    return {};
  } else if (!group.row) {
    suspect.anomaly = Anomaly::foreign;
    return suspects_.add(suspect);
  }
  suspect.seq = group.row->seq;
  const bool same = std::find(group.contents.begin(), group.contents.end(), record.content) !=
                    group.contents.end();
  const bool repeated = group.first.has_value();
  if (repeated) suspect.first = group.first->place;
  if (!repeated && record.kind == RecordKind::delivered) group.first = record;
  if (same && (!repeated || record.kind == RecordKind::dead_letter)) return {};
  suspect.anomaly = same ? Anomaly::duplicate : Anomaly::altered;
  return suspects_.add(suspect);
}

Result<void> Comparison::take_rows(const Group& group) {
  if (!group.row) return {};
  const Row& row = *group.row;
  const bool settled = row.seq <= scope_.settled_seq;
  if (settled && row.seq >= scope_.from_seq) ++summary_.rows;
  if (group.first) {
    note_borders(row, *group.first);
    if (settled) ++summary_.delivered;
    if (settled && group.repaired) ++summary_.repaired;
    if (group.first->key == 0) return {};
    return arrivals_.add({group.first->key, group.first->place, row.seq, group.first->position,
                          row.id, 0,
                          group.passed ? Arrival::Standing::late : Arrival::Standing::judged});
  }
  // What the table says counts more than a copy in a topic: that stays there after a replay.
  if (group.kept || (group.dead_letters > 0 && !group.replayed)) {
    if (settled) ++summary_.dead_letters;
    return {};
  }
  if (!settled) {
    ++summary_.unseen;
    return {};
  }
  return miss(row);
}

Result<void> Comparison::miss(const Row& row) {
  if (row.seq < scope_.from_seq) return {};
  ++missing_;
  Place place;
  place.topic = row.topic;
  if (row.key != 0 && row.topic != kNoTopic && row.refused != Refused::skipped) {
    return arrivals_.add(
        {row.key, place, row.seq, {}, row.id, row.time_us, Arrival::Standing::missing});
  }
  Suspect suspect;
  suspect.anomaly = Anomaly::lost;
  suspect.refused = row.refused;
  suspect.seq = row.seq;
  suspect.id = row.id;
  suspect.place = place;
  suspect.time_us = row.time_us;
  return suspects_.add(suspect);
}

Result<void> Comparison::miss_behind(const Arrival& missing, const std::optional<Arrival>& newest) {
  Suspect suspect;
  suspect.anomaly = Anomaly::lost;
  suspect.seq = missing.seq;
  suspect.id = missing.id;
  suspect.place = missing.place;
  suspect.time_us = missing.time_us;
  if (newest && newest->same_key(missing) && newest->seq > missing.seq) {
    suspect.ahead_seq = newest->seq;
  }
  return suspects_.add(suspect);
}

void Comparison::note_borders(const Row& row, const Record& first) {
  first_delivered_ = std::min(first_delivered_.value_or(row.seq), row.seq);
  if (first.position.kind == PositionKind::lsn && row.seq < scope_.from_seq + kBorderRows) {
    border_ = std::max(border_, first.position.position);
  }
}

Result<void> Comparison::find_order() {
  std::optional<Arrival> ahead;   // the latest row of the key and partition so far
  std::optional<Arrival> newest;  // of the key
  auto arrival = arrivals_.next();
  for (; arrival && *arrival; arrival = arrivals_.next()) {
    const Arrival& now = **arrival;
    if (now.missing()) {
      if (auto missed = miss_behind(now, newest); !missed) return missed;
      continue;
    }
    if (!newest || !newest->same_key(now) || now.seq > newest->seq) newest = now;
    if (auto judged = judge_order(now, ahead); !judged) return judged;
  }
  if (!arrival) return arrival.error();
  return {};
}

Result<void> Comparison::judge_order(const Arrival& arrival, std::optional<Arrival>& ahead) {
  const bool follows = ahead && ahead->same_lane(arrival) && arrival.seq <= ahead->seq;
  if (arrival.standing == Arrival::Standing::late) {
    if (follows) ++summary_.late;
    return {};
  }
  if (!follows) {
    ahead = arrival;
    return {};
  }
  if (!behind(arrival, *ahead)) return {};
  Suspect suspect;
  suspect.anomaly = Anomaly::out_of_order;
  suspect.seq = arrival.seq;
  suspect.id = arrival.id;
  suspect.place = arrival.place;
  suspect.first = ahead->place;
  suspect.ahead_seq = ahead->seq;
  return suspects_.add(suspect);
}

// The numbers fall. Positions that rise say that the commits came in this order.
bool Comparison::behind(const Arrival& arrival, const Arrival& ahead) const {
  const PositionKind kind = arrival.position.kind;
  if (kind != ahead.position.kind) return false;  // the mode was changed between the two
  if (kind == PositionKind::number) return true;
  if (kind == PositionKind::none) return !scope_.from_wal;
  return arrival.position.position < ahead.position.position;
}

}  // namespace outbox::verify
