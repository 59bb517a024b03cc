// Lanes that are due, then the windows in order: the sink's part of a pipeline.
#include <algorithm>

#include "relay/flow/key_hash.h"
#include "relay/flow/pipeline.h"

namespace outbox::flow {

using core::Admission;
using core::Lease;
using core::Now;
using core::Purpose;
using core::StreamId;
using core::Ticket;

void Pipeline::submit(Now now, const Lease& lease) {
  if (!lease.holds_at(now.instant)) return;
  if (!retry_.waits_at(now.instant)) submit_deliveries(now, lease);
  // Last, since what the router refuses is found out on the way.
  for (size_t stream = 0; stream < windows_.size(); ++stream) {
    submit_journal(StreamId{static_cast<uint16_t>(stream)}, now, lease);
  }
}

void Pipeline::submit_deliveries(Now now, const Lease& lease) {
  Admission answer = Admission::admitted;
  const uint64_t generation = wait_generation();
  if (!lanes_.empty() && lanes_offered_at_ != generation) {
    answer = lanes_.offer([&](Ticket ticket) { return submit_cell(ticket, now, lease); });
    // A full sink did not look at every lane; the rest is offered again.
    if (answer != Admission::full) lanes_offered_at_ = generation;
  }
  // A sink that is full again and again must not serve the first stream only.
  const size_t first = next_turn_++;
  for (size_t turn = 0; turn < windows_.size() && answer != Admission::full; ++turn) {
    const size_t stream = (first + turn) % windows_.size();
    answer = submit_window(StreamId{static_cast<uint16_t>(stream)}, now, lease);
  }
}

Admission Pipeline::submit_window(StreamId stream, Now now, const Lease& lease) {
  Window& window = windows_[stream.value];
  for (; window.cursor() != window.end(); window.advance_cursor()) {
    const Ticket ticket{stream, window.cursor()};
    window.fetch_bytes(ticket.index + kFetchAhead);
    const Cell& next = window.at(ticket.index);
    if (next.state != CellState::queued || next.purpose != Purpose::deliver) continue;
    if (!lanes_.empty() && lanes_.holds(lane_of(ticket))) {
      lanes_.add(lane_of(ticket), ticket);
      cell(ticket).state = CellState::in_lane;
      continue;
    }
    const uint64_t generation = wait_generation();
    const Admission answer = submit_cell(ticket, now, lease);
    if (answer == Admission::full) return answer;
    if (answer == Admission::wait) {
      if (lanes_.empty()) lanes_offered_at_ = generation;
      lanes_.add(lane_of(ticket), ticket);
      cell(ticket).state = CellState::in_lane;
    }
  }
  return Admission::admitted;
}

Admission Pipeline::submit_cell(Ticket ticket, Now now, const Lease& lease) {
  // In the middle of a look, too: what lies behind the one that was too many must not pass it.
  if (brake_.engaged()) return Admission::full;
  Cell& next = cell(ticket);
  const Gate gate = pass_gate(ticket);
  if (gate == Gate::wait) return Admission::wait;
  if (gate == Gate::closed) return did_work_ = true, Admission::admitted;
  if (auto cause = router_.refusal(next.event, next.route, *next.destination, now)) {
    if (is_replay(ticket.stream) && awaits_facts(*next.destination)) return Admission::wait;
    next.cause = std::make_unique<core::Cause>(std::move(*cause));
    refuse(ticket);
    did_work_ = true;
    return Admission::admitted;
  }
  const Admission answer = sink_.submit(delivery_of(ticket, next, lease), now);
  if (answer == Admission::admitted) {
    next.state = CellState::outside;
    did_work_ = true;
  }
  return answer;
}

core::Delivery Pipeline::delivery_of(Ticket ticket, const Cell& next, const Lease& lease) const {
  core::Delivery delivery;
  delivery.ticket = ticket;
  delivery.event = &next.event;
  delivery.destination = next.destination;
  delivery.cause = next.cause.get();
  delivery.epoch = lease.epoch;
  delivery.attempts = next.attempts;
  delivery.route = next.route;
  delivery.position_form = (is_replay(ticket.stream) ? *replay_ : source_).position_form();
  delivery.purpose = next.purpose;
  return delivery;
}

// A replayed letter never waits behind a new event of its key, which waits for it.
uint64_t Pipeline::lane_of(Ticket ticket) {
  const Cell& keyed = cell(ticket);
  if (!keyed.event.aggregate_id) return (ticket.pack() + 1) * kHashSalt;
  const uint64_t key = key_hash(keyed.event, keyed.destination, keyed.route);
  return is_replay(ticket.stream) ? ~key : key;
}

// What the event's key says. Nothing is hashed while every key is free.
Pipeline::Gate Pipeline::pass_gate(Ticket ticket) {
  const Cell& next = cell(ticket);
  if (!next.event.aggregate_id) return Gate::open;
  if (is_replay(ticket.stream)) {
    if (stuck_.empty()) return Gate::open;
    const auto stuck = stuck_.find(key_hash(next.event, next.destination, next.route));
    if (stuck == stuck_.end() || ticket.index < stuck->second) return Gate::open;
    put_back(ticket);
    return Gate::closed;
  }
  if (blocked_.empty()) return Gate::open;
  switch (blocked_.passage(key_hash(next.event, next.destination, next.route), ticket)) {
    case BlockedKeys::Passage::free:
      return Gate::open;
    case BlockedKeys::Passage::draining:
      return Gate::wait;
    case BlockedKeys::Passage::blocked:
      break;
  }
  keep_behind(ticket);
  return Gate::closed;
}

// The window goes back and sends again in order. Waiting lanes are freed first: what comes again
// lies before them.
void Pipeline::go_back(Ticket ticket) {
  lanes_.dissolve([this](Ticket waiting) {
    cell(waiting).state = CellState::queued;
    windows_[waiting.stream.value].rewind(waiting.index);
  });
  cell(ticket).state = CellState::queued;
  windows_[ticket.stream.value].rewind(ticket.index);
}

}  // namespace outbox::flow
