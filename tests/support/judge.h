#pragma once
// Judge: the outside model. It knows every committed event and everything that landed, was saved
// and was confirmed, across any number of crashes, and compares them with the invariants of
// relay/INVARIANTS.md. It knows nothing of how the pipeline works, so it cannot share its mistakes.
//
// The first violation is kept and named; what comes after it is not judged.

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/event_maker.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/witness.h"

namespace outbox::support {

/// Where an event must end.
enum class Fate : uint8_t {
  deliver,
  dead_letter,
  skip,
  keep,  // held or parked until its cause is mended, then delivered
};

class Judge : public Witness {
 public:
  explicit Judge(size_t streams) : streams_(streams) {}

  /// Called for each committed event, in the order of its stream, before any relay can see it. The
  /// spec stays where it is. `destination` is the topic it belongs to.
  void committed(core::StreamId stream, const EventSpec& spec, const std::string& destination,
                 Fate fate);
  void boundary(core::StreamId stream, core::Position position);
  /// What becomes of an event that its destination turns out never to take (by default
  /// dead_letter).
  void fate_if_refused(Fate fate) { fate_if_refused_ = fate; }
  Fate fate_if_refused() const { return fate_if_refused_; }

  /// A relay process begins; what an earlier one was told is forgotten.
  void process_started(uint64_t epoch);
  /// Whether the relay may act at this step.
  void lease_holds(bool holds) { lease_holds_ = holds; }
  /// After each step: what the pipeline holds, and what it may (invariant 7).
  void holds(size_t cells, size_t cells_max, size_t bytes, size_t bytes_max);
  /// What was held or parked can be delivered from now on, all of it or this event.
  void mended();
  void mended(uint64_t number);
  /// Everything was given time to settle: nothing may be left (invariants 1, 3 and 9).
  void at_rest();

  /// For what a test sees by itself.
  void at_fault(int invariant, const std::string& what);

  bool violated() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }
  uint64_t duplicates() const { return duplicates_; }
  uint64_t landed_count() const { return landed_count_; }

  void submitted(const core::Delivery& delivery, core::Admission admission) override;
  void landed(const core::Delivery& delivery) override;
  void refused(const core::Delivery& delivery) override;
  void completed(const core::Delivery& delivery, core::Outcome outcome) override;
  void save_started(const core::Progress& progress, uint64_t epoch) override;
  void saved(const core::Progress& progress) override;
  void confirmed(const core::Settled& settled) override;

 private:
  // The events of one key in one destination, in the order they were committed.
  struct Chain {
    std::vector<uint64_t> numbers;
    // Place of the newest record, plus one, among the delivered and among the dead letters.
    size_t newest_delivered = 0;
    size_t newest_dead = 0;
  };
  struct Known {
    const EventSpec* spec = nullptr;
    core::StreamId stream;
    Fate fate = Fate::deliver;
    std::string destination;
    Chain* chain = nullptr;  // null: no key, no order
    size_t place = 0;        // in the chain
    uint32_t landed = 0;
    bool settled_in_process = false;  // the running relay was told that it is durable
    bool kept = false;                // held or parked, ever
    bool letter_open = false;         // and not delivered since
  };
  struct Stream {
    std::vector<uint64_t> numbers;  // events in order
    size_t owned = 0;               // so many from the front are durably owned by somebody
    std::vector<core::Position> boundaries;
    core::Position saved_boundary;
    core::Position saved_settled;
    core::Position confirmed;
  };

  void check_bytes(const core::Delivery& delivery);
  void check_landing(const Known& known, core::Purpose purpose);
  void keep(Known& known, const core::Delivery& delivery);
  void check_chain(const Known& known, core::Purpose purpose);
  void check_owned(Stream& stream, core::Position to, bool inclusive, const char* doing);
  Known* find(const core::Uuid& id);
  std::string name(const Known& known) const;

  std::map<uint64_t, Known> known_;
  std::map<std::tuple<uint16_t, std::string, std::string>, Chain> chains_;
  std::vector<Stream> streams_;
  std::string violation_;
  uint64_t epoch_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t landed_count_ = 0;
  Fate fate_if_refused_ = Fate::dead_letter;
  bool lease_holds_ = true;
};

}  // namespace outbox::support
