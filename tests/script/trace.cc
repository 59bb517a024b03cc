#include "tests/script/trace.h"

#include <utility>

#include "tests/support/event_maker.h"

namespace outbox::script {

uint64_t Trace::number_of(const std::string& name) {
  const auto [found, added] = numbers_.try_emplace(name, numbers_.size() + 1);
  if (added) names_[found->second] = name;
  return found->second;
}

std::string Trace::name_of(uint64_t number) const { return names_.at(number); }

std::string Trace::take() { return std::exchange(lines_, ""); }

std::string text_of(core::Position position) {
  if (position == core::Position{}) return "nothing";
  if (position.minor == 0) return std::to_string(position.major);
  return std::to_string(position.major) + "/" + std::to_string(position.minor);
}

namespace {

const char* target_of(core::Purpose purpose) {
  switch (purpose) {
    case core::Purpose::deliver:
      return "sink <- ";
    case core::Purpose::dead_letter:
      return "journal <- ";
    case core::Purpose::hold:
      return "journal <- hold ";
    case core::Purpose::park:
      return "journal <- park ";
    case core::Purpose::result:
      return "journal <- result of ";
  }
  return "";
}

}  // namespace

void Trace::submitted(const core::Delivery& delivery, core::Admission admission) {
  std::string text = target_of(delivery.purpose);
  text += name_of(support::number_of(delivery.event->id));
  if (delivery.cause != nullptr) text += " (" + delivery.cause->code + ")";
  if (admission == core::Admission::full) text += ": full";
  if (admission == core::Admission::wait) text += ": wait";
  line(text);
}

void Trace::save_started(const core::Progress& progress, uint64_t) {
  line("save boundary " + text_of(progress.boundary) + ", settled " + text_of(progress.settled) +
       (progress.stream.value == 0 ? "" : " of stream " + std::to_string(progress.stream.value)));
}

void Trace::confirmed(const core::Settled& settled) {
  line("confirm " + text_of(settled.low) +
       (settled.stream.value == 0 ? "" : " of stream " + std::to_string(settled.stream.value)));
}

}  // namespace outbox::script
