#include "relay/app/wiring_verify.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "connectors/kafka/dead_letter_topics.h"
#include "connectors/kafka/error_headers.h"
#include "connectors/kafka/record_image.h"
#include "connectors/kafka/topic_scan.h"
#include "connectors/postgres/row_reader.h"
#include "relay/app/topic_list.h"
#include "relay/app/wiring_formats.h"
#include "relay/flow/router.h"
#include "relay/verify/comparison.h"

namespace outbox::app {
namespace {

using core::Error;
using core::Result;
using verify::TopicState;

constexpr auto kAskTimeout = std::chrono::seconds(20);
// Clocks of two servers differ, and a row's time is that of its insert, not of its commit.
constexpr int64_t kClockMarginUs = 5 * 60 * int64_t{1'000'000};
constexpr int64_t kSinceMarginUs = 60 * 60 * int64_t{1'000'000};
constexpr uint64_t kProgressEvery = 10'000;

bool has_positions(const RecordFormat& format) {
  return !std::holds_alternative<DebeziumFormatConfig>(format);
}

Error nothing_to_compare(const VerifyInputs& inputs, std::string why) {
  return {core::Fault::reject, kNothingToCompare,
          "compare",           "pipeline " + inputs.pipeline.name,
          std::move(why),      ""};
}

// How much of the topics is read.
enum class Reach : uint8_t { since, whole };

class Verification {
 public:
  Verification(const VerifyInputs& inputs, const postgres::PostgresOptions& source,
               const kafka::ClientOptions& sink, Reach reach)
      : inputs_(inputs),
        source_(source),
        sink_(sink),
        reach_(reach),
        router_(inputs.pipeline.routes, topics_),
        image_(route_formats(inputs.pipeline)),
        comparison_(inputs.folder) {}

  /// Absent: rows are missing, and only a part of the topics was read.
  Result<std::optional<VerifyOutcome>> run() {
    for (const auto step :
         {&Verification::open, &Verification::find_range, &Verification::read_settled_rows,
          &Verification::read_letters, &Verification::find_extents, &Verification::read_records,
          &Verification::read_rows_on_their_way, &Verification::settle_scope,
          &Verification::compare}) {
      if (const Result<void> done = (this->*step)(); !done) return done.error();
    }
    if (reach_ == Reach::since && cut_ && comparison_.missing() > 0) {
      return std::optional<VerifyOutcome>();
    }
    auto summary = comparison_.report(scope_, inputs_.tell);
    if (!summary) return summary.error();
    outcome_.summary = *summary;
    if (summary->rows == 0 && summary->foreign == 0) {
      return nothing_to_compare(inputs_, "there are no settled rows in this range");
    }
    return std::optional(std::move(outcome_));
  }

 private:
  Result<void> open() {
    auto rows = postgres::RowReader::open(source_, pool_);
    if (!rows) return rows.error();
    rows_ = std::move(*rows);
    auto scan = kafka::TopicScan::make(sink_);
    if (!scan) return scan.error();
    scan_ = std::move(*scan);
    return {};
  }

  Result<void> find_range() {
    const auto facts = rows_->facts();
    if (!facts) return facts.error();
    if (!facts->settled_seq) {
      return nothing_to_compare(
          inputs_,
          "no row is proven to be settled yet (outbox.progress.delivered_seq): the relay proves it "
          "some seconds after its start");
    }
    now_ = facts->now;
    outcome_.begun_at = now_;
    scope_.settled_seq = *facts->settled_seq;
    scope_.from_wal = source_.mode == postgres::Mode::wal;
    scope_.from_seq = std::max<uint64_t>({facts->removed_below, facts->first_seq, 1});
    scope_.begins_late = facts->removed_below > 1 || facts->rows_deleted;
    scope_.rowless_events = rows_->has_rowless_events();
    if (!inputs_.since) return {};
    return find_since();
  }

  Result<void> find_since() {
    const auto* ago = std::get_if<std::chrono::seconds>(&*inputs_.since);
    const core::WallTime since = ago != nullptr
                                     ? core::WallTime{now_.us - int64_t{ago->count()} * 1'000'000}
                                     : std::get<core::WallTime>(*inputs_.since);
    const auto first = rows_->first_since(since);
    if (!first) return first.error();
    scope_.from_seq = std::max(scope_.from_seq, *first);
    scope_.begins_late = true;
    if (reach_ == Reach::since) cut_ = core::WallTime{since.us - kSinceMarginUs};
    return {};
  }

  Result<void> read_settled_rows() {
    if (scope_.from_seq > scope_.settled_seq) {
      return nothing_to_compare(inputs_, "no settled row is in this range");
    }
    return read_rows(scope_.from_seq - 1, scope_.settled_seq);
  }

  // Before the ends of the topics are known: what was replayed by now has its record before them.
  Result<void> read_letters() {
    return rows_->letters([this](const postgres::RowReader::Letter& letter) {
      verify::Record record;
      record.id = letter.id;
      record.passed = letter.passed;
      record.repaired = letter.repaired;
      record.kind = letter.edited ? verify::RecordKind::letter_edited
                    : letter.state == postgres::RowReader::Letter::State::kept
                        ? verify::RecordKind::letter_kept
                        : verify::RecordKind::letter_replayed;
      return comparison_.add(record);
    });
  }

  Result<void> read_rows_on_their_way() {
    const uint64_t after = std::max(scope_.settled_seq, scope_.from_seq - 1);
    return read_rows(after, std::max(after, last_seq_));
  }

  Result<void> read_rows(uint64_t after, uint64_t until) {
    const uint64_t begin = after;
    while (after < until) {
      const auto read =
          rows_->read(after, until, [this](const core::Event& event) { return take_row(event); });
      if (!read) return read.error();
      after = *read;
      inputs_.progress({VerifyStep::Phase::rows, after - begin, until - begin});
    }
    return {};
  }

  Result<void> take_row(const core::Event& event) {
    const flow::Decision decision = router_.route(event);
    const flow::Route& route = router_.routes()[decision.route];
    const kafka::FormatContext context{core::PositionForm::number, 0};
    verify::Row row;
    row.id = event.id;
    row.seq = event.seq;
    if (rows_->has_times()) row.time_us = event.commit_time.us;
    if (decision.destination != nullptr) row.topic = decision.destination->id;
    if (route.on_failure == flow::OnFailure::skip) row.refused = verify::Refused::skipped;
    row.plain = image_.plain(decision.route);
    if (row.plain || image_.make(decision.route, event, context)) {
      image_.make_plain(event, context);
    }
    note_positions(decision);
    const kafka::FormattedRecord& record = image_.record();
    row.key = verify::key_hash(record.key);
    row.content = hasher_.content({record.key, record.value, record.headers});
    return comparison_.add(row);
  }

  void note_positions(const flow::Decision& decision) {
    if (decision.destination == nullptr) return;
    const auto& formats = inputs_.pipeline.formats;
    if (decision.route >= formats.size() || has_positions(formats[decision.route])) return;
    without_positions_.resize(topics_.all().size());
    without_positions_[decision.destination->id] = true;
  }

  // The ends are read here: behind the settled number, before the last of the rows.
  Result<void> find_extents() {
    for (const flow::Route& route : inputs_.pipeline.routes) {
      if (!route.topic_rule && route.topic.find("${") == std::string::npos) {
        topics_.destination(route.topic);
      }
    }
    delivered_topics_ = topics_.all().size();
    for (size_t i = 0; i < delivered_topics_; ++i) {
      core::Destination usable = topics_.all()[i];
      usable.state = core::DestinationState::usable;
      topics_.destination(kafka::dead_letter_topic(&usable, inputs_.pipeline.name));
    }
    topics_.destination(kafka::dead_letter_topic(nullptr, inputs_.pipeline.name));
    for (const core::Destination& topic : topics_.all()) {
      const bool letters = topic.id >= delivered_topics_;
      auto extent = scan_->extent(topic.name, letters ? std::nullopt : cut_, kAskTimeout);
      if (!extent) return extent.error();
      extents_.push_back(std::move(*extent));
    }
    const auto facts = rows_->facts();
    if (!facts) return facts.error();
    last_seq_ = facts->last_seq;
    return {};
  }

  Result<void> read_records() {
    uint64_t total = 0;
    for (const kafka::TopicExtent& extent : extents_) {
      for (const auto& partition : extent.partitions) total += partition.end - partition.begin;
    }
    if (auto begun = scan_->begin(extents_); !begun) return begun;
    uint64_t done = 0;
    while (true) {
      const auto more = scan_->read([&](const kafka::ScannedRecord& record) {
        if (++done % kProgressEvery == 0) {
          inputs_.progress({VerifyStep::Phase::records, done, total});
        }
        return take_record(record);
      });
      if (!more) return more.error();
      if (!*more) break;
    }
    inputs_.progress({VerifyStep::Phase::records, done, total});
    return {};
  }

  Result<void> take_record(const kafka::ScannedRecord& scanned) {
    const verify::RecordView view{scanned.key, scanned.value, scanned.headers};
    const bool letter = scanned.topic >= delivered_topics_;
    // Other pipelines may share a topic for dead letters.
    if (letter && verify::header(view, kafka::kErrorPipeline) != inputs_.pipeline.name) return {};
    verify::Record record;
    record.place = {static_cast<uint32_t>(scanned.topic), scanned.partition, scanned.offset};
    const auto id = verify::event_id(view);
    if (!id) return letter ? Result<void>() : comparison_.add_without_id(record.place);
    record.id = *id;
    record.content = hasher_.content(view);
    record.key = verify::key_hash(view.key);
    record.position = verify::record_position(view);
    if (letter) record.kind = verify::RecordKind::dead_letter;
    return comparison_.add(record);
  }

  // What was removed on either side while it was read is not missing.
  Result<void> settle_scope() {
    const auto facts = rows_->facts();
    if (!facts) return facts.error();
    if (facts->removed_below > scope_.from_seq) {
      scope_.from_seq = facts->removed_below;
      scope_.begins_late = true;
    }
    // Topics that only rows on their way name were not read: those rows are not judged.
    for (const core::Destination& topic : topics_.all()) {
      TopicState& state = scope_.topics.emplace_back();
      state.name = topic.name;
      if (topic.id >= extents_.size()) continue;
      if (auto read = read_state(extents_[topic.id], state); !read) return read;
      if (topic.id < without_positions_.size() && without_positions_[topic.id]) {
        state.has_positions = false;
      }
      if (state.found == TopicState::Found::exists) outcome_.topics.push_back(topic.name);
      if (topic.id < delivered_topics_) note_limits(state, extents_[topic.id].facts);
    }
    return {};
  }

  Result<void> read_state(const kafka::TopicExtent& extent, TopicState& state) {
    if (extent.facts.answer != kafka::TopicAnswer::found) {
      state.found = TopicState::Found::missing;
      return {};
    }
    const auto starts = scan_->log_starts(extent, kAskTimeout);
    if (!starts) return starts.error();
    state.trimmed =
        std::any_of(starts->begin(), starts->end(), [](uint64_t start) { return start > 0; });
    state.compacted = extent.facts.compacted;
    if (!extent.facts.settings_read || !extent.facts.kept_for) return {};
    const auto kept = *extent.facts.kept_for;
    state.kept_from_us = kept == std::chrono::milliseconds::max()
                             ? std::numeric_limits<int64_t>::min()
                             : now_.us - int64_t{kept.count()} * 1'000 + kClockMarginUs;
    return {};
  }

  void note_limits(const TopicState& state, const kafka::TopicFacts& facts) {
    if (state.found == TopicState::Found::missing) {
      outcome_.notes.push_back("Topic " + state.name + " does not exist.");
      return;
    }
    if (state.compacted) {
      outcome_.notes.push_back("Topic " + state.name +
                               " is compacted: an event without a record may have been replaced by "
                               "a later one of its key, so none is called lost.");
    } else if (state.trimmed && !state.kept_from_us) {
      outcome_.notes.push_back(
          "The log of topic " + state.name + " does not begin at its first record, and " +
          (facts.settings_read ? "retention.bytes lets the broker remove any"
                               : "its settings cannot be read") +
          ": an event without a record may have been removed, so none is called lost.");
    } else if (state.trimmed) {
      outcome_.notes.push_back("The log of topic " + state.name +
                               " does not begin at its first record: events older than "
                               "retention.ms are not called lost.");
    }
  }

  Result<void> compare() {
    const uint64_t total = comparison_.rows() + comparison_.records();
    return comparison_.compare(scope_, [&](uint64_t done) {
      inputs_.progress({VerifyStep::Phase::comparing, done, total});
    });
  }

  const VerifyInputs& inputs_;
  const postgres::PostgresOptions& source_;
  const kafka::ClientOptions& sink_;
  const Reach reach_;
  core::ChunkPool pool_;  // before the reader that fills its chunks
  std::unique_ptr<postgres::RowReader> rows_;
  std::unique_ptr<kafka::TopicScan> scan_;
  TopicList topics_;
  flow::Router router_;
  kafka::RecordImage image_;
  verify::Hasher hasher_;
  verify::Comparison comparison_;
  verify::Scope scope_;
  core::WallTime now_;
  std::optional<core::WallTime> cut_;  // topics are read from here on only
  uint64_t last_seq_ = 0;
  size_t delivered_topics_ = 0;  // the rest are for dead letters
  std::vector<kafka::TopicExtent> extents_;
  std::vector<bool> without_positions_;  // by topic
  VerifyOutcome outcome_;
};

}  // namespace

Result<VerifyOutcome> verify_pipeline(const VerifyInputs& inputs,
                                      const postgres::PostgresOptions& source,
                                      const kafka::ClientOptions& sink) {
  if (source.mode == postgres::Mode::status) {
    return Error{core::Fault::reject,
                 kCannotCompare,
                 "compare",
                 "pipeline " + inputs.pipeline.name,
                 "a table that is polled by status has no number up to which all is delivered",
                 "Its own column says of each row whether it is SENT"};
  }
  for (const Reach reach : {Reach::since, Reach::whole}) {
    auto outcome = Verification(inputs, source, sink, reach).run();
    if (!outcome) return outcome.error();
    if (*outcome) return std::move(**outcome);
  }
  OUTBOX_ASSERT(false);
  return nothing_to_compare(inputs, "");
}

}  // namespace outbox::app
