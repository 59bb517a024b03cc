#include "tests/support/judge.h"

#include <algorithm>

#include "relay/core/assert.h"

namespace outbox::support {
namespace {

using core::Position;
using core::Purpose;

std::string text(Position position) {
  return core::to_string(position, core::PositionForm::lsn_ordinal);
}

}  // namespace

void Judge::at_fault(int invariant, const std::string& what) {
  if (violation_.empty()) violation_ = "invariant " + std::to_string(invariant) + ": " + what;
}

std::string Judge::name(const Known& known) const {
  return "event " + std::to_string(known.spec->number) + " at " + text(known.spec->position) +
         (known.spec->key ? " of key " + *known.spec->key : " without a key");
}

void Judge::committed(core::StreamId stream, const EventSpec& spec, const std::string& destination,
                      Fate fate) {
  const auto [found, added] = known_.try_emplace(spec.number);
  OUTBOX_ASSERT(added);
  Known& known = found->second;
  known.spec = &spec;
  known.stream = stream;
  known.fate = fate;
  known.destination = destination;
  if (spec.key) {
    known.chain = &chains_[{stream.value, destination, *spec.key}];
    known.place = known.chain->numbers.size();
    known.chain->numbers.push_back(spec.number);
  }
  streams_[stream.value].numbers.push_back(spec.number);
}

void Judge::boundary(core::StreamId stream, Position position) {
  streams_[stream.value].boundaries.push_back(position);
}

void Judge::process_started(uint64_t epoch) {
  epoch_ = epoch;
  for (auto& [number, known] : known_) known.settled_in_process = false;
}

void Judge::holds(size_t cells, size_t cells_max, size_t bytes, size_t bytes_max) {
  if (cells > cells_max) at_fault(7, std::to_string(cells) + " cells are open");
  if (bytes > bytes_max) at_fault(7, std::to_string(bytes) + " bytes are open");
}

Judge::Known* Judge::find(const core::Uuid& id) {
  const auto found = known_.find(number_of(id));
  if (found != known_.end()) return &found->second;
  at_fault(2, "event " + core::to_string(id) + " was never committed");
  return nullptr;
}

void Judge::submitted(const core::Delivery& delivery, core::Admission admission) {
  Known* known = find(delivery.event->id);
  if (known == nullptr || admission != core::Admission::admitted) return;
  if (!lease_holds_) at_fault(8, name(*known) + " was submitted past the lease");
  if (delivery.epoch != epoch_) at_fault(8, name(*known) + " carries another epoch");
  check_bytes(delivery);
  // A letter may be read, and delivered, before its writer learns that it is there; that one then
  // writes it again, without effect.
  if (known->letter_open || (known->kept && delivery.purpose != Purpose::deliver)) return;
  if (known->settled_in_process) at_fault(4, name(*known) + " was sent again after it was durable");
  if (known->spec->position < streams_[known->stream.value].confirmed) {
    at_fault(4, name(*known) + " was sent again after its position was confirmed");
  }
}

void Judge::check_bytes(const core::Delivery& delivery) {
  const Known* known = find(delivery.event->id);
  if (known == nullptr) return;
  EventSpec wanted = *known->spec;
  // A letter that comes back has a place in its round.
  if (known->letter_open || delivery.purpose == Purpose::result) {
    wanted.position = delivery.event->position;
  }
  const std::string wrong = difference(wanted, *delivery.event);
  if (!wrong.empty()) at_fault(4, name(*known) + " has " + wrong);
  const bool dead = delivery.purpose == Purpose::dead_letter;
  if (dead && (delivery.cause == nullptr || delivery.cause->code.empty())) {
    at_fault(1, name(*known) + " became a dead letter without a cause");
  }
}

void Judge::landed(const core::Delivery& delivery) {
  Known* known = find(delivery.event->id);
  if (known == nullptr) return;
  check_bytes(delivery);
  switch (delivery.purpose) {
    case Purpose::hold:
    case Purpose::park:
      return keep(*known, delivery);
    case Purpose::result:
      if (delivery.cause == nullptr) known->letter_open = false;
      return;
    case Purpose::deliver:
    case Purpose::dead_letter:
      break;
  }
  check_landing(*known, delivery.purpose);
  check_chain(*known, delivery.purpose);
  ++known->landed;
}

void Judge::check_landing(const Known& known, Purpose purpose) {
  const bool dead = purpose == Purpose::dead_letter;
  if (dead != (known.fate == Fate::dead_letter) || known.fate == Fate::skip ||
      known.fate == Fate::keep) {
    at_fault(1, name(known) + (dead ? " became a dead letter" : " was delivered") +
                    " though it must not");
  }
  ++landed_count_;
  if (known.landed == 0) return;
  ++duplicates_;
  if (known.spec->position < streams_[known.stream.value].confirmed && !known.letter_open) {
    at_fault(4, name(known) + " landed again outside the unconfirmed window");
  }
}

// An event that itself was not refused is only kept behind a letter of its key.
void Judge::keep(Known& known, const core::Delivery& delivery) {
  // A key is blocked in all streams, and they write their letters in no common order.
  if (delivery.cause == nullptr && streams_.size() == 1) {
    const bool behind = std::any_of(known_.begin(), known_.end(), [&](const auto& each) {
      const Known& other = each.second;
      return other.kept && &other != &known && other.destination == known.destination &&
             known.spec->key && other.spec->key == known.spec->key;
    });
    if (!behind && !known.kept) {
      at_fault(9, name(known) + " was kept though no letter of its key was before it");
    }
  }
  if (known.kept) return;
  known.kept = known.letter_open = true;
}

void Judge::mended() {
  for (const auto& [number, known] : known_) mended(number);
}

void Judge::mended(uint64_t number) {
  const auto found = known_.find(number);
  if (found != known_.end() && found->second.fate == Fate::keep) found->second.fate = Fate::deliver;
}

void Judge::refused(const core::Delivery& delivery) {
  Known* known = find(delivery.event->id);
  if (known == nullptr) return;
  if (delivery.purpose == Purpose::deliver) known->fate = fate_if_refused_;
}

// After any record of a key comes the next event of that key, or one that had landed before: the
// relay went back. Then the ones behind it follow again, so that a reader who keeps the newest
// record of a key always ends with the newest event.
void Judge::check_chain(const Known& known, Purpose purpose) {
  if (known.chain == nullptr) return;
  Chain& chain = *known.chain;
  const bool dead = purpose == Purpose::dead_letter;
  size_t& newest = dead ? chain.newest_dead : chain.newest_delivered;
  const bool went_back = known.landed > 0 && known.place < newest;
  if (!went_back) {
    const Fate like = dead ? Fate::dead_letter : Fate::deliver;
    for (size_t between = newest; between < known.place; ++between) {
      const Known& skipped = known_.at(chain.numbers[between]);
      if (skipped.fate == like || (!dead && skipped.fate == Fate::keep)) {
        at_fault(3, name(known) + " landed before " + name(skipped));
        break;
      }
    }
    if (known.place < newest) {
      at_fault(3,
               name(known) + " landed first after " + name(known_.at(chain.numbers[newest - 1])));
    }
  }
  newest = known.place + 1;
}

void Judge::completed(const core::Delivery& delivery, core::Outcome outcome) {
  Known* known = find(delivery.event->id);
  if (known != nullptr && outcome == core::Outcome::durable) known->settled_in_process = true;
}

void Judge::check_owned(Stream& stream, Position to, bool inclusive, const char* doing) {
  while (stream.owned < stream.numbers.size()) {
    const Known& next = known_.at(stream.numbers[stream.owned]);
    if (next.fate != Fate::skip && next.landed == 0 && !next.kept) break;
    ++stream.owned;
  }
  if (stream.owned == stream.numbers.size()) return;
  const Known& open = known_.at(stream.numbers[stream.owned]);
  const Position position = open.spec->position;
  if (position < to || (inclusive && position == to)) {
    at_fault(1, std::string(doing) + " " + text(to) + " while nobody owns " + name(open));
  }
}

void Judge::save_started(const core::Progress& progress, uint64_t epoch) {
  if (!lease_holds_) at_fault(8, "progress was saved past the lease");
  if (epoch != epoch_) at_fault(8, "progress was saved with another epoch");
  Stream& stream = streams_[progress.stream.value];
  check_owned(stream, progress.boundary, false, "saved boundary");
  check_owned(stream, progress.settled, true, "saved settled");
}

void Judge::saved(const core::Progress& progress) {
  Stream& stream = streams_[progress.stream.value];
  stream.saved_boundary = std::max(stream.saved_boundary, progress.boundary);
  stream.saved_settled = std::max(stream.saved_settled, progress.settled);
}

void Judge::confirmed(const core::Settled& settled) {
  Stream& stream = streams_[settled.stream.value];
  if (!lease_holds_) at_fault(8, "confirmed past the lease");
  if (settled.low > stream.saved_boundary) {
    at_fault(6, "confirmed " + text(settled.low) + " but only " + text(stream.saved_boundary) +
                    " is saved");
  }
  check_owned(stream, settled.low, false, "confirmed");
  if (!std::binary_search(stream.boundaries.begin(), stream.boundaries.end(), settled.low)) {
    at_fault(6, "confirmed " + text(settled.low) + ", which is no boundary");
  }
  stream.confirmed = std::max(stream.confirmed, settled.low);
}

void Judge::at_rest() {
  for (const auto& [number, known] : known_) {
    if (known.fate != Fate::skip && known.landed == 0 && !known.letter_open) {
      at_fault(1, name(known) + " is lost");
    }
  }
  for (const auto& [key, chain] : chains_) {
    for (size_t place = std::min(chain.newest_delivered, chain.newest_dead);
         place < chain.numbers.size(); ++place) {
      const Known& last = known_.at(chain.numbers[place]);
      if ((last.fate == Fate::deliver && place >= chain.newest_delivered && !last.letter_open) ||
          (last.fate == Fate::dead_letter && place >= chain.newest_dead)) {
        at_fault(3, "the newest record of its key is older than " + name(last));
      }
    }
  }
  for (const Stream& stream : streams_) {
    const Position end = stream.boundaries.empty() ? Position{} : stream.boundaries.back();
    if (stream.confirmed < end) {
      at_fault(9, "confirmed only " + text(stream.confirmed) + " of " + text(end));
    }
  }
}

}  // namespace outbox::support
