// Comparison::report: which of the suspects are findings, and in which words.

#include <utility>

#include "relay/verify/comparison.h"

namespace outbox::verify {

using core::Result;

Result<Summary> Comparison::report(const Scope& scope, const Tell& tell_one) {
  scope_ = scope;
  summary_.from_seq = scope.from_seq;
  summary_.settled_seq = scope.settled_seq;
  summary_.records += without_id_;
  auto suspect = suspects_.next();
  for (; suspect && *suspect; suspect = suspects_.next()) {
    const Suspect& one = **suspect;
    switch (one.anomaly) {
      case Anomaly::lost:
        judge_missing(one, tell_one);
        break;
      case Anomaly::foreign:
        judge_foreign(one, tell_one);
        break;
      case Anomaly::altered:
        ++summary_.altered;
        tell(one, "the record has the id of this event and another key, value or headers",
             tell_one);
        break;
      case Anomaly::out_of_order:
        ++summary_.out_of_order;
        tell(one,
             "it comes behind seq " + std::to_string(one.ahead_seq) + " of the same key at " +
                 in_words(one.first),
             tell_one);
        break;
      case Anomaly::duplicate:
        ++summary_.duplicates;
        tell(one, "the same event is at " + in_words(one.first), tell_one);
        break;
    }
  }
  if (!suspect) return suspect.error();
  return summary_;
}

// A record that is not there may have been removed by the broker on its own, which is no loss of
// the relay's. It has not, if no record was ever removed from the topic, or if it is too young.
void Comparison::judge_missing(const Suspect& suspect, const Tell& tell_one) {
  if (suspect.refused == Refused::skipped) {
    ++summary_.skipped;
    return;
  }
  if (suspect.place.topic == kNoTopic) {
    ++summary_.lost;
    return tell(suspect, "no route sends it anywhere, and no dead letter has it", tell_one);
  }
  const TopicState& topic = scope_.topics[suspect.place.topic];
  const bool young =
      topic.kept_from_us && suspect.time_us != 0 && suspect.time_us >= *topic.kept_from_us;
  if (topic.compacted) {
    ++summary_.compacted;
    return;
  }
  if (topic.trimmed && !young) {
    ++summary_.log_removed;
    return;
  }
  const bool before_all = first_delivered_ && suspect.seq < *first_delivered_;
  if (scope_.from_wal && before_all && !topic.trimmed && topic.found == TopicState::Found::exists) {
    ++summary_.before_slot;
    return;
  }
  ++summary_.lost;
  std::string detail = topic.found == TopicState::Found::missing
                           ? "its topic does not exist, and no dead letter has it"
                       : topic.trimmed ? "its record is gone, and too young for the topic's own "
                                         "retention; no dead letter has it"
                                       : "neither a record nor a dead letter has it";
  if (suspect.ahead_seq != 0) {
    detail += "; later events of its key are there, up to seq " + std::to_string(suspect.ahead_seq);
  }
  tell(suspect, std::move(detail), tell_one);
}

void Comparison::judge_foreign(const Suspect& suspect, const Tell& tell_one) {
  if (!suspect.has_id) {
    ++summary_.foreign;
    return tell(suspect, "the record says of no event that it is it", tell_one);
  }
  const TopicState& topic = scope_.topics[suspect.place.topic];
  const bool like_ours = !topic.has_positions || suspect.position.kind != PositionKind::none;
  if (like_ours && scope_.begins_late && of_before(suspect)) {
    ++summary_.before_range;
    return;
  }
  if (like_ours && scope_.rowless_events) {
    ++summary_.rowless;
    return;
  }
  ++summary_.foreign;
  tell(suspect, "no row of the source has this id", tell_one);
}

// Numbers are exact. Commits of rows on both sides of the border may have overlapped.
bool Comparison::of_before(const Suspect& suspect) const {
  switch (suspect.position.kind) {
    case PositionKind::number:
      return suspect.position.position.major < scope_.from_seq;
    case PositionKind::lsn:
      return suspect.position.position <= border_ || !first_delivered_;
    case PositionKind::none:
      return true;
  }
  return true;
}

void Comparison::tell(Suspect suspect, std::string detail, const Tell& tell_one) const {
  Finding finding;
  finding.anomaly = suspect.anomaly;
  finding.jepsen = jepsen_name(suspect.anomaly);
  // An aborted read is of a write that was once tried; a stranger's record never was ours.
  if (suspect.anomaly == Anomaly::foreign && suspect.position.kind == PositionKind::none) {
    finding.jepsen.clear();
  }
  if (suspect.has_id) finding.id = core::to_string(suspect.id);
  if (suspect.anomaly != Anomaly::foreign) finding.seq = suspect.seq;
  if (suspect.place.topic != kNoTopic) finding.topic = scope_.topics[suspect.place.topic].name;
  if (suspect.anomaly == Anomaly::lost) {
    if (suspect.ahead_seq != 0) finding.overtaken_by = suspect.ahead_seq;
  } else {
    finding.record = RecordPlace{finding.topic, suspect.place.partition, suspect.place.offset};
  }
  finding.detail = std::move(detail);
  tell_one(finding);
}

std::string Comparison::in_words(const Place& place) const {
  return scope_.topics[place.topic].name + " partition " + std::to_string(place.partition) +
         " offset " + std::to_string(place.offset);
}

}  // namespace outbox::verify
