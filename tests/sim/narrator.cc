#include "tests/sim/narrator.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/support/event_maker.h"

namespace outbox::sim {
namespace {

std::string text(core::Position position) {
  return core::to_string(position, core::PositionForm::lsn_ordinal);
}

const char* text(core::Admission admission) {
  switch (admission) {
    case core::Admission::admitted:
      return "admitted";
    case core::Admission::full:
      return "full";
    case core::Admission::wait:
      return "wait";
  }
  return "?";
}

}  // namespace

void Narrator::tell(const char* what, const core::Delivery& delivery, const char* how) {
  if (!telling_) return;
  const core::Event& event = *delivery.event;
  std::printf("  %s %s event %llu of key %s at %s %s\n",
              delivery.purpose == core::Purpose::deliver ? "sink" : "journal", what,
              static_cast<unsigned long long>(support::number_of(event.id)),
              event.aggregate_id ? std::string(*event.aggregate_id).c_str() : "(none)",
              text(event.position).c_str(), how);
}

void Narrator::submitted(const core::Delivery& delivery, core::Admission admission) {
  tell("is given", delivery, text(admission));
  judge_.submitted(delivery, admission);
}

void Narrator::landed(const core::Delivery& delivery) {
  tell("has", delivery, "");
  judge_.landed(delivery);
  if (delivery.purpose != core::Purpose::hold && delivery.purpose != core::Purpose::park) return;
  core::Progress& row = store_.rows[delivery.ticket.stream.value];
  row.settled = std::max(row.settled, delivery.event->position);
  judge_.saved(row);
}

void Narrator::refused(const core::Delivery& delivery) {
  tell("refuses", delivery, "");
  judge_.refused(delivery);
}

void Narrator::completed(const core::Delivery& delivery, core::Outcome outcome) {
  tell("reports", delivery, core::to_string(outcome));
  judge_.completed(delivery, outcome);
}

void Narrator::save_started(const core::Progress& progress, uint64_t epoch) {
  if (telling_) {
    std::printf("  save of boundary %s, settled %s, epoch %llu\n", text(progress.boundary).c_str(),
                text(progress.settled).c_str(), static_cast<unsigned long long>(epoch));
  }
  judge_.save_started(progress, epoch);
}

void Narrator::saved(const core::Progress& progress) {
  if (telling_) std::printf("  saved boundary %s\n", text(progress.boundary).c_str());
  judge_.saved(progress);
}

void Narrator::confirmed(const core::Settled& settled) {
  if (telling_) std::printf("  confirmed %s\n", text(settled.low).c_str());
  judge_.confirmed(settled);
}

}  // namespace outbox::sim
