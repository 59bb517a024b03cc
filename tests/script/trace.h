#pragma once
// Trace: what the pipeline does to the world, one line each, with events called by the names that
// the script gave them.

#include <cstdint>
#include <map>
#include <string>

#include "tests/support/witness.h"

namespace outbox::script {

class Trace : public support::Witness {
 public:
  /// Gives the event the number that its id carries.
  uint64_t number_of(const std::string& name);
  std::string name_of(uint64_t number) const;

  void line(const std::string& text) { lines_ += text + "\n"; }
  /// The lines since the last call.
  std::string take();

  void submitted(const core::Delivery& delivery, core::Admission admission) override;
  void save_started(const core::Progress& progress, uint64_t epoch) override;
  void confirmed(const core::Settled& settled) override;

 private:
  std::map<std::string, uint64_t> numbers_;
  std::map<uint64_t, std::string> names_;
  std::string lines_;
};

/// "100/2" for an event, "110" for a boundary, "nothing" for zero.
std::string text_of(core::Position position);

}  // namespace outbox::script
