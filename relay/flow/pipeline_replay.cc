// The letters that come back: the replay's part of a pipeline.
#include <utility>

#include "relay/core/assert.h"
#include "relay/flow/key_hash.h"
#include "relay/flow/pipeline.h"

namespace outbox::flow {

using core::Now;
using core::Result;
using core::Ticket;

Result<void> Pipeline::intake_replay(Now now) {
  const core::Credit credit = credit_of(windows_.back());
  batch_.clear();
  auto polled = replay_->poll(batch_, {&credit, 1}, now);
  if (!polled) return polled;
  if (!batch_.empty()) did_work_ = true;
  for (core::Item& item : batch_) take_replay(item);
  return {};
}

void Pipeline::take_replay(core::Item& item) {
  switch (item.kind) {
    case core::ItemKind::boundary:
      blocked_known_ = true;
      return windows_.back().add_boundary(item.event.position);
    case core::ItemKind::blocked: {
      OUTBOX_ASSERT(!blocked_known_);
      const Decision decision = router_.route(item.event);
      return blocked_.add(key_hash(item.event, decision.destination, decision.route), item.letters);
    }
    case core::ItemKind::released: {
      const Decision decision = router_.route(item.event);
      const uint64_t key = key_hash(item.event, decision.destination, decision.route);
      for (uint64_t letter = 0; letter < item.letters; ++letter) blocked_.forget(key);
      return;
    }
    case core::ItemKind::event:
      break;
  }
  Ticket ticket{core::StreamId{static_cast<uint16_t>(saved_.size())}, 0};
  Cell& added = add(ticket, item);
  added.blocks_key = item.letters > 0 && added.event.aggregate_id;
  if (added.blocks_key) {
    blocked_.replay_begins(key_hash(added.event, added.destination, added.route));
  }
  if (added.cause) refuse(ticket);
}

// The round is over: what was stuck in it may be tried in the next.
void Pipeline::confirm_replay() {
  const auto passed = windows_.back().passed_boundary();
  if (!passed || passed == round_told_) return;
  round_told_ = passed;
  stuck_.clear();
  looked_again_.clear();
  replay_->confirm({core::StreamId{0}, *passed});
}

// Whoever replays has mended something, it may be a moment ago: what the router refuses by is read
// again first, once a round. New events do not wait for it.
bool Pipeline::awaits_facts(const core::Destination& destination) {
  const auto [known, first] = looked_again_.try_emplace(&destination, destination.reads);
  if (first && !sink_.look_again(destination)) --known->second;
  return known->second == destination.reads;
}

// A letter behind one of its key that was refused again: nothing happened to it.
void Pipeline::put_back(Ticket ticket) {
  const Cell& done = cell(ticket);
  if (done.blocks_key) blocked_.replay_put_back(key_hash(done.event, done.destination, done.route));
  settle_cell(ticket);
}

void Pipeline::replay_settled(const Cell& done) {
  if (!done.blocks_key) return;
  const uint64_t key = key_hash(done.event, done.destination, done.route);
  done.cause ? blocked_.replay_put_back(key) : blocked_.replay_delivered(key);
}

}  // namespace outbox::flow
