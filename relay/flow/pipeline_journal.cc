// What a pipeline does with events that the sink does not take: the journal's part.
#include <algorithm>
#include <utility>

#include "relay/core/assert.h"
#include "relay/flow/final_error.h"
#include "relay/flow/key_hash.h"
#include "relay/flow/pipeline.h"

namespace outbox::flow {

using core::Completion;
using core::Lease;
using core::Now;
using core::Outcome;
using core::Purpose;
using core::Result;
using core::StreamId;
using core::Ticket;

// For the cell's cause. A letter of the replay changes only its row: that it was refused again.
void Pipeline::refuse(Ticket ticket) {
  Cell& refused = cell(ticket);
  auto why = std::move(refused.cause);
  const uint64_t count = newest_refusal_ ? newest_refusal_->count + 1 : 1;
  newest_refusal_ = Refusal{*why, refused.event.position, std::nullopt, count};
  if (is_replay(ticket.stream)) newest_refusal_->letter = refused.event.seq;
  if (is_replay(ticket.stream)) {
    if (refused.event.aggregate_id) {
      const uint64_t key = key_hash(refused.event, refused.destination, refused.route);
      const auto [first, added] = stuck_.try_emplace(key, ticket.index);
      if (!added) first->second = std::min(first->second, ticket.index);
    }
    return to_journal(ticket, Purpose::result, std::move(why));
  }
  ++counters_.routes[refused.route].refused;
  if (!brake_.refused()) {
    refused.state = CellState::queued;  // for good: its position is not confirmed
    return;
  }
  switch (router_.routes()[refused.route].on_failure) {
    case OnFailure::skip:
      ++counters_.routes[refused.route].skipped;
      checkpoint_.refused(ticket.stream, refused.event.position, *why);
      return settle_cell(ticket);
    case OnFailure::dead_letter:
      return to_journal(ticket, Purpose::dead_letter, std::move(why));
    case OnFailure::hold:
      return to_journal(ticket, Purpose::hold, std::move(why));
    case OnFailure::park:
      return to_journal(ticket, Purpose::park, std::move(why));
  }
}

// Its key has letters that must go first. A route whose own rule would let it pass obeys the one
// that blocked the key: both send to the same topic.
void Pipeline::keep_behind(Ticket ticket) {
  const bool holds = router_.routes()[cell(ticket).route].on_failure == OnFailure::hold;
  to_journal(ticket, holds ? Purpose::hold : Purpose::park, nullptr);
}

// It takes its bytes along: it may wait long, and must not pin a chunk that others share.
void Pipeline::to_journal(Ticket ticket, Purpose purpose, std::unique_ptr<core::Cause> cause) {
  Cell& kept = cell(ticket);
  if (kept.chunk && kept.chunk->shared() && purpose != Purpose::result) {
    core::ChunkRef own;
    kept.event = core::detach(kept.event, detached_, own);
    kept.chunk = std::move(own);
  }
  const bool blocks = purpose == Purpose::hold || purpose == Purpose::park;
  OUTBOX_ASSERT(!blocks || replay_ != nullptr);
  if (blocks && kept.event.aggregate_id)
    blocked_.add(key_hash(kept.event, kept.destination, kept.route), 1, ticket);
  kept.cause = std::move(cause);
  kept.purpose = purpose;
  kept.state = CellState::queued;
  ++journal_waiting_;
}

Result<void> Pipeline::complete_journal(Completion& completion, Now now) {
  Cell& done = cell(completion.ticket);
  switch (completion.outcome) {
    case Outcome::durable:
      journal_retry_.succeeded(now.instant);
      journal_keeps(completion, done);
      settle_cell(completion.ticket);
      return {};
    case Outcome::retry:
      journal_retry_.failed(now.instant, "dead letters: " + describe(completion));
      [[fallthrough]];
    case Outcome::returned:
      done.state = CellState::queued;
      ++journal_waiting_;
      windows_[completion.ticket.stream.value].rewind_journal(completion.ticket.index);
      return {};
    case Outcome::reject:
    case Outcome::unknown:
    case Outcome::fatal:
      return stopped(
          "DEAD_LETTER_REFUSED", core::to_string(done.event.id), describe(completion),
          "The event is neither delivered nor a dead letter; its position is not confirmed");
  }
  return {};
}

void Pipeline::journal_keeps(const Completion& completion, const Cell& done) {
  RouteCounters& route = counters_.routes[done.route];
  switch (done.purpose) {
    case Purpose::deliver:
      OUTBOX_ASSERT(!"the journal delivers nothing");
    case Purpose::dead_letter:
      ++route.dead_lettered;
      return checkpoint_.refused(completion.ticket.stream, done.event.position, *done.cause);
    case Purpose::hold:
    case Purpose::park:
      ++(done.purpose == Purpose::hold ? route.held : route.parked);
      if (completion.known_before && done.event.aggregate_id) {
        blocked_.forget(key_hash(done.event, done.destination, done.route));
      }
      return;
    case Purpose::result:
      ++(done.cause ? route.refused_again : route.replayed);
      return replay_settled(done);
  }
}

// They leave in the order of their stream too: one waits while an event before it is still being
// delivered, since that may be refused yet and then goes first (invariant 3).
void Pipeline::submit_journal(StreamId stream, Now now, const Lease& lease) {
  if (journal_waiting_ == 0 || journal_retry_.waits_at(now.instant)) return;
  Window& window = windows_[stream.value];
  for (; window.journal_cursor() != window.end(); window.advance_journal_cursor()) {
    const Ticket ticket{stream, window.journal_cursor()};
    Cell& next = window.at(ticket.index);
    if (next.state == CellState::settled) continue;
    if (next.purpose == Purpose::deliver) return;
    if (next.state == CellState::outside) continue;
    if (journal_.submit(delivery_of(ticket, next, lease), now) != core::Admission::admitted) return;
    next.state = CellState::outside;
    --journal_waiting_;
    did_work_ = true;
  }
}

}  // namespace outbox::flow
