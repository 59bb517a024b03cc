#include "relay/app/cli/verify_listing.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/app/cli/letter_json.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

using Json = nlohmann::ordered_json;
using verify::Anomaly;
using verify::Summary;

/// A listing for people names so many of each kind; the counts name all.
constexpr uint64_t kNamedMost = 1000;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json as_json(const verify::Finding& finding) {
  Json json = {{"finding", to_string(finding.anomaly)},
               {"jepsen", finding.jepsen.empty() ? Json() : Json(finding.jepsen)},
               {"id", finding.id.empty() ? Json() : Json(finding.id)},
               {"seq", finding.seq ? Json(*finding.seq) : Json()},
               {"topic", finding.topic.empty() ? Json() : Json(finding.topic)},
               {"partition", finding.record ? Json(finding.record->partition) : Json()},
               {"offset", finding.record ? Json(finding.record->offset) : Json()},
               {"overtaken_by", finding.overtaken_by ? Json(*finding.overtaken_by) : Json()},
               {"detail", finding.detail}};
  return json;
}

Json as_json(const std::string& pipeline, const VerifyOutcome& outcome) {
  const Summary& sum = outcome.summary;
  return {{"pipeline", pipeline},
          {"ok", sum.clean()},
          {"from_seq", sum.from_seq},
          {"settled_seq", sum.settled_seq},
          {"rows", sum.rows},
          {"records", sum.records},
          {"delivered", sum.delivered},
          {"dead_letters", sum.dead_letters},
          {"skipped", sum.skipped},
          {"unseen", sum.unseen},
          {"repaired", sum.repaired},
          {"late", sum.late},
          {"lost", sum.lost},
          {"altered", sum.altered},
          {"out_of_order", sum.out_of_order},
          {"foreign", sum.foreign},
          {"duplicates", sum.duplicates},
          {"not_provable",
           {{"log_removed", sum.log_removed},
            {"compacted", sum.compacted},
            {"before_slot", sum.before_slot}}},
          {"records_without_a_row",
           {{"before_range", sum.before_range}, {"rowless", sum.rowless}, {"edited", sum.edited}}},
          {"rows_of_the_same_id", sum.same_id},
          {"topics", outcome.topics},
          {"notes", outcome.notes}};
}

Json as_json(const FiledEvent& event) {
  return {{"id", event.id},
          {"seq", event.seq},
          {"key", event.key ? Json(*event.key) : Json()},
          {"topic", event.topic.empty() ? Json() : Json(event.topic)},
          {"letter", event.letter},
          {"overtaken_by", event.overtaken_by ? Json(*event.overtaken_by) : Json()}};
}

Json as_json(const RepairReport& report) {
  Json again;
  if (report.again) {
    const Summary& sum = *report.again;
    again = {{"ok", sum.clean()},
             {"settled_seq", sum.settled_seq},
             {"rows", sum.rows},
             {"delivered", sum.delivered},
             {"lost", sum.lost},
             {"repaired", sum.repaired},
             {"late", sum.late},
             {"duplicates", sum.duplicates},
             {"dead_letters", sum.dead_letters}};
  }
  return {{"dry_run", report.dry_run},
          {"lost", report.lost},
          {"overtaken", report.overtaken},
          {"waiting", report.waiting},
          {"filed", report.counts.filed},
          {"known", report.counts.known},
          {"gone", report.counts.gone},
          {"job", report.job ? Json::parse(json_of(*report.job)) : Json()},
          {"compared_again", again},
          {"repaired", report.repaired()}};
}

std::string events_text(uint64_t count) {
  return readable_count(count) + (count == 1 ? " lost event" : " lost events");
}

}  // namespace

void VerifyListing::add(const verify::Finding& finding) {
  ++count_;
  if (format_ == OutputFormat::jsonl) {
    terminal_.out << dumped(as_json(finding)) << '\n';
  } else if (format_ == OutputFormat::json) {
    terminal_.out << (count_ == 1 ? "{\"findings\":[" : ",") << dumped(as_json(finding));
  } else if (++named_[static_cast<size_t>(finding.anomaly)] <= kNamedMost) {
    write_text(finding);
  }
}

void VerifyListing::summarize(const std::string& pipeline, const VerifyOutcome& outcome) {
  if (format_ == OutputFormat::text) {
    write_text(pipeline, outcome);
    terminal_.out.flush();
    return;
  }
  const std::string summary = dumped(as_json(pipeline, outcome));
  if (format_ == OutputFormat::jsonl) {
    terminal_.out << "{\"summary\":" << summary << "}\n";
  } else {
    terminal_.out << (count_ == 0 ? "{\"findings\":[" : "") << "],\"summary\":" << summary;
  }
}

void VerifyListing::begin_events() {
  if (!events_begun_ && format_ == OutputFormat::json) terminal_.out << ",\"filed\":[";
  events_begun_ = true;
}

void VerifyListing::add(const FiledEvent& event) {
  begin_events();
  ++events_;
  if (format_ == OutputFormat::jsonl) {
    terminal_.out << "{\"filed\":" << dumped(as_json(event)) << "}\n";
  } else if (format_ == OutputFormat::json) {
    terminal_.out << (events_ == 1 ? "" : ",") << dumped(as_json(event));
  } else if (event.overtaken_by && ++named_events_ <= kNamedMost) {
    write_text(event);
  }
}

void VerifyListing::conclude(const RepairReport& report) {
  begin_events();
  if (format_ == OutputFormat::text) {
    write_text(report);
  } else if (format_ == OutputFormat::jsonl) {
    terminal_.out << "{\"repair\":" << dumped(as_json(report)) << "}\n";
  } else {
    terminal_.out << "],\"repair\":" << dumped(as_json(report));
  }
}

void VerifyListing::end() {
  if (format_ == OutputFormat::json) terminal_.out << "}\n";
  terminal_.out.flush();
}

void VerifyListing::write_text(const verify::Finding& finding) {
  const Shade shade = finding.anomaly == Anomaly::duplicate ? Shade::warning : Shade::bad;
  std::string name = to_string(finding.anomaly);
  terminal_.out << terminal_.shaded(shade, name) << std::string(14 - name.size(), ' ')
                << (finding.id.empty() ? "(no id)" : finding.id);
  if (finding.seq) terminal_.out << "  seq " << *finding.seq;
  if (!finding.topic.empty()) terminal_.out << "  " << finding.topic;
  if (finding.record) {
    terminal_.out << " partition " << finding.record->partition << " offset "
                  << finding.record->offset;
  }
  terminal_.out << "  " << finding.detail;
  if (!finding.jepsen.empty()) terminal_.out << " [" << finding.jepsen << ']';
  terminal_.out << '\n';
}

void VerifyListing::write_count(const char* what, uint64_t count, const char* meaning,
                                Shade shade) {
  const std::string number = readable_count(count);
  terminal_.out << "  " << terminal_.shaded(count == 0 ? Shade::plain : shade, what)
                << std::string(14 - std::string_view(what).size(), ' ')
                << std::string(number.size() < 12 ? 12 - number.size() : 0, ' ') << number << "  "
                << meaning << '\n';
}

void VerifyListing::write_if_any(const char* what, uint64_t count, const char* meaning) {
  if (count > 0) write_count(what, count, meaning, Shade::warning);
}

void VerifyListing::write_counts(const Summary& sum) {
  write_count("delivered", sum.delivered, "rows with their record, byte for byte but for altered",
              Shade::plain);
  write_count("dead letters", sum.dead_letters,
              "rows with a dead letter, held, parked or discarded ones too", Shade::warning);
  write_if_any("skipped", sum.skipped, "rows without a record, on routes that skip");
  write_if_any("repaired", sum.repaired, "of the delivered, brought back by verify --repair");
  write_if_any("unseen", sum.unseen, "rows that are not proven to be settled yet");
  write_count("lost", sum.lost, "rows without a record or a dead letter", Shade::bad);
  write_count("altered", sum.altered, "records that differ from their row", Shade::bad);
  write_count("out of order", sum.out_of_order, "records behind a later one of their key",
              Shade::bad);
  write_count("foreign", sum.foreign, "records that are of no row", Shade::bad);
  write_count("duplicates", sum.duplicates, "repeated records: allowed, at least once",
              Shade::warning);
  write_if_any("late", sum.late,
               "records of letters behind later ones of their key, which went on");
  write_if_any("log removed", sum.log_removed, "rows whose record Kafka may have removed");
  write_if_any("compacted", sum.compacted, "rows whose record a later one may have replaced");
  write_if_any("before slot", sum.before_slot, "rows older than all that was delivered");
  write_if_any("before range", sum.before_range, "records of rows that are gone or not compared");
  write_if_any("rowless", sum.rowless, "records of outbox.emit() or captured tables");
  write_if_any("edited", sum.edited, "records of dead letters that an operator edited");
  write_if_any("same id", sum.same_id, "rows that repeat another row's id");
}

void VerifyListing::write_text(const std::string& pipeline, const VerifyOutcome& outcome) {
  const Summary& sum = outcome.summary;
  for (size_t kind = 0; kind < named_.size(); ++kind) {
    if (named_[kind] <= kNamedMost) continue;
    terminal_.out << "and " << readable_count(named_[kind] - kNamedMost) << " more "
                  << to_string(static_cast<Anomaly>(kind)) << "; -o jsonl names all\n";
  }
  terminal_.out << "pipeline " << pipeline << ": " << readable_count(sum.rows) << " rows, seq "
                << sum.from_seq << " to " << sum.settled_seq << ", against "
                << readable_count(sum.records) << " records\n";
  write_counts(sum);
  for (const std::string& note : outcome.notes) terminal_.out << "  " << note << '\n';
  terminal_.out << (sum.clean() ? terminal_.shaded(Shade::good, "ok") + ": nothing is lost"
                                : terminal_.shaded(Shade::bad, "failed"))
                << '\n';
}

void VerifyListing::write_text(const FiledEvent& event) {
  terminal_.out << terminal_.shaded(Shade::warning, "out of order") << "  " << event.id << "  seq "
                << event.seq << "  key " << event.key.value_or("(none)") << "  " << event.topic
                << "  is sent behind later events of its key, up to seq " << *event.overtaken_by
                << '\n';
}

void VerifyListing::write_text(const RepairReport& report) {
  if (named_events_ > kNamedMost) {
    terminal_.out << "and " << readable_count(named_events_ - kNamedMost)
                  << " more that are sent out of order; -o jsonl names all\n";
  }
  if (report.dry_run) {
    terminal_.out << "repair would send " << events_text(report.lost) << " again, "
                  << readable_count(report.overtaken)
                  << " of them behind later events of their key";
    if (report.waiting > 0) {
      terminal_.out << "; and " << readable_count(report.waiting) << " that were filed before";
    }
    terminal_.out << '\n';
    return;
  }
  terminal_.out << "repair: " << events_text(report.counts.filed) << " filed as dead letters";
  if (report.counts.known > 0) {
    terminal_.out << ", " << readable_count(report.counts.known) << " were filed already";
  }
  if (report.counts.gone > 0) {
    terminal_.out << ", of " << readable_count(report.counts.gone)
                  << " the rows were removed meanwhile";
  }
  terminal_.out << '\n';
  if (report.job) {
    const core::ReplayJob& job = *report.job;
    terminal_.out << "job " << job.job << " is " << job.state << ": "
                  << readable_count(job.delivered) << " of " << readable_count(job.selected)
                  << " delivered, " << readable_count(job.refused) << " refused\n";
  }
  if (!report.again) return;
  const Summary& sum = *report.again;
  terminal_.out << "compared again: " << readable_count(sum.rows) << " rows, "
                << readable_count(sum.lost) << " lost, " << readable_count(sum.repaired)
                << " repaired\n";
  if (sum.clean()) {
    terminal_.out << terminal_.shaded(Shade::good, "ok") << ": nothing is lost\n";
  } else {
    terminal_.out << terminal_.shaded(Shade::bad, "failed") << ": "
                  << (report.repaired() ? "nothing is lost any more, what else was found stays\n"
                                        : "not all is there\n");
  }
}

}  // namespace outbox::app
