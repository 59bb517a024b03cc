#pragma once
// Narrator: passes on to the judge what the pipeline and the world do to each other, and tells it
// to a person who replays a seed.

#include "tests/support/fake_checkpoint.h"
#include "tests/support/judge.h"
#include "tests/support/witness.h"

namespace outbox::sim {

class Narrator : public support::Witness {
 public:
  /// `store`: where a journal that gives letters back saves with them how far the stream is.
  Narrator(support::Judge& judge, support::ProgressStore& store, bool telling)
      : judge_(judge), store_(store), telling_(telling) {}

  void submitted(const core::Delivery& delivery, core::Admission admission) override;
  void landed(const core::Delivery& delivery) override;
  void refused(const core::Delivery& delivery) override;
  void completed(const core::Delivery& delivery, core::Outcome outcome) override;
  void save_started(const core::Progress& progress, uint64_t epoch) override;
  void saved(const core::Progress& progress) override;
  void confirmed(const core::Settled& settled) override;

 private:
  void tell(const char* what, const core::Delivery& delivery, const char* how);

  support::Judge& judge_;
  support::ProgressStore& store_;
  bool telling_;
};

}  // namespace outbox::sim
