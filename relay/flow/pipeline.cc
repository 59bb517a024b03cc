#include "relay/flow/pipeline.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/failpoint.h"
#include "relay/flow/planted.h"

namespace outbox::flow {
namespace {

using core::Admission;
using core::Completion;
using core::Lease;
using core::Now;
using core::Outcome;
using core::Purpose;
using core::Result;
using core::StreamId;
using core::Ticket;

// Cells to have on their way into the cache: they were last touched thousands of events ago.
constexpr size_t kFetchAhead = 8;

core::Error stopped(std::string code, std::string subject, std::string detail, std::string hint) {
  return core::Error{core::Fault::fatal, std::move(code),   "deliver",
                     std::move(subject), std::move(detail), std::move(hint)};
}

std::string describe(const Completion& completion) {
  if (!completion.cause) return core::to_string(completion.outcome);
  return completion.cause->code + ": " + completion.cause->detail;
}

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options, core::Source& source, Router& router,
                   core::Sink& sink, core::Sink& journal, core::Checkpoint& checkpoint)
    : options_(options),
      source_(source),
      router_(router),
      sink_(sink),
      journal_(journal),
      checkpoint_(checkpoint),
      retry_(core::Backoff(options.retry_first, options.retry_most, options.seed)),
      journal_retry_(core::Backoff(options.retry_first, options.retry_most, options.seed + 1)) {
  // Keys are kept one at a time outside only for one_per_key sinks, and no such sink is built yet.
  OUTBOX_ASSERT(sink.ordering() == core::Ordering::fail_stop);
  OUTBOX_ASSERT(journal.ordering() == core::Ordering::fail_stop);
  for (size_t stream = 0; stream < source.stream_count(); ++stream) {
    windows_.emplace_back(options.window_cells);
    saved_.emplace_back(StreamId{static_cast<uint16_t>(stream)});
  }
  credit_.resize(windows_.size());
  counters_.routes.resize(router.routes().size());
}

Result<Pipeline::Next> Pipeline::step(Now now, const Lease& lease) {
  did_work_ = false;
  if (auto settled = settle(sink_, now); !settled) return settled.error();
  if (auto settled = settle(journal_, now); !settled) return settled.error();
  if (auto confirmed = confirm(now, lease); !confirmed) return confirmed.error();
  if (auto taken = intake(now); !taken) return taken.error();
  submit(now, lease);
  return Next{did_work_, wake_at(now.instant)};
}

// ---- settle: what came back from the world

Result<void> Pipeline::settle(core::Sink& sink, Now now) {
  completions_.clear();
  sink.poll(completions_, now);
  if (completions_.empty()) return {};
  did_work_ = true;
  for (size_t next = 0; next < completions_.size(); ++next) {
    if (const size_t later = next + kFetchAhead; later < completions_.size()) {
      const Ticket ticket = completions_[later].ticket;
      windows_[ticket.stream.value].fetch_cell(ticket.index);
    }
    Completion& completion = completions_[next];
    Cell& done = cell(completion.ticket);
    OUTBOX_ASSERT(done.state == CellState::outside);
    OUTBOX_ASSERT((done.purpose == Purpose::deliver) == (&sink == &sink_));
    auto completed = done.purpose == Purpose::deliver ? complete(completion, now)
                                                      : complete_dead_letter(completion, now);
    if (!completed) return completed;
  }
  core::hit_failpoint(core::Failpoint::after_sink_acknowledged);
  return {};
}

Result<void> Pipeline::complete(Completion& completion, Now now) {
  Cell& done = cell(completion.ticket);
  switch (completion.outcome) {
    case Outcome::durable: {
      RouteCounters& route = counters_.routes[done.route];
      ++route.delivered;
      route.commit_to_acknowledged.record(now.wall.us - done.event.commit_time.us);
      settle_cell(completion.ticket);
      retry_.succeeded(now.instant);
      return {};
    }
    case Outcome::returned:
      ++counters_.returned;
      kPlantForgetOnRejectedBatch ? settle_cell(completion.ticket) : go_back(completion.ticket);
      return {};
    case Outcome::retry:
      ++counters_.retried;
      ++done.attempts;
      go_back(completion.ticket);
      retry_.failed(now.instant, describe(completion));
      return {};
    case Outcome::reject:
      refuse(completion.ticket, completion.cause && !completion.cause->code.empty()
                                    ? std::move(*completion.cause)
                                    : core::Cause{"REJECTED", "the sink gave no cause"});
      return {};
    case Outcome::unknown:
      return stopped("UNKNOWN_OUTCOME", core::to_string(done.event.id), describe(completion),
                     "Nobody knows whether it arrived; it is not sent again");
    case Outcome::fatal:
      return stopped("SINK_FATAL", core::to_string(done.event.id), describe(completion), "");
  }
  return {};
}

Result<void> Pipeline::complete_dead_letter(Completion& completion, Now now) {
  Cell& done = cell(completion.ticket);
  switch (completion.outcome) {
    case Outcome::durable:
      ++counters_.routes[done.route].dead_lettered;
      checkpoint_.refused(completion.ticket.stream, done.event.position, *done.cause);
      settle_cell(completion.ticket);
      journal_retry_.succeeded(now.instant);
      return {};
    case Outcome::retry:
      journal_retry_.failed(now.instant, "dead letters: " + describe(completion));
      [[fallthrough]];
    case Outcome::returned:
      done.state = CellState::queued;
      ++dead_letters_waiting_;
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

void Pipeline::settle_cell(Ticket ticket) { windows_[ticket.stream.value].settle(ticket.index); }

// A refused event takes its bytes along: it may wait long, and must not pin a chunk that others
// share.
void Pipeline::refuse(Ticket ticket, core::Cause cause) {
  Cell& refused = cell(ticket);
  newest_refusal_ =
      Refusal{cause, refused.event.position, newest_refusal_ ? newest_refusal_->count + 1 : 1};
  if (router_.routes()[refused.route].on_failure == OnFailure::skip) {
    ++counters_.routes[refused.route].skipped;
    checkpoint_.refused(ticket.stream, refused.event.position, cause);
    settle_cell(ticket);
    return;
  }
  if (refused.chunk && refused.chunk->shared()) {
    core::ChunkRef own;
    refused.event = core::detach(refused.event, detached_, own);
    refused.chunk = std::move(own);
  }
  refused.cause = std::make_unique<core::Cause>(std::move(cause));
  refused.purpose = Purpose::dead_letter;
  refused.state = CellState::queued;
  ++dead_letters_waiting_;
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

// ---- confirm: watermark -> progress saved -> source

Result<void> Pipeline::confirm(Now now, const Lease& lease) {
  for (Window& window : windows_) window.advance();
  auto durable = checkpoint_.poll(now);
  if (!durable) return durable.error();
  if (*durable) {
    did_work_ = true;
    saved_[(*durable)->stream.value].save_durable();
    core::hit_failpoint(core::Failpoint::between_checkpoint_and_confirm);
  }
  if (!lease.holds_at(now.instant) || !checkpoint_.idle()) return {};
  for (SavedProgress& saved : saved_) {
    if (const auto settled = saved.take_confirm()) source_.confirm(*settled);
  }
  save(now, lease);
  return {};
}

core::Instant Pipeline::save_due(const SavedProgress& saved) const {
  return saved.due(window(saved.stream()),
                   {options_.progress_interval, options_.idle_progress_interval},
                   taking_ ? Urgency::usual : Urgency::shutdown);
}

// One stream at a time, the longest overdue first; the next one's turn comes when this is durable.
void Pipeline::save(Now now, const Lease& lease) {
  SavedProgress* next = nullptr;
  core::Instant next_due = core::kNever;
  for (SavedProgress& saved : saved_) {
    const core::Instant due = save_due(saved);
    if (due >= next_due) continue;
    next_due = due;
    next = &saved;
  }
  if (next == nullptr || next_due > now.instant) return;
  const core::Progress progress = next->current(window(next->stream()));
  next->save_started(progress, now.instant);
  checkpoint_.save(progress, lease.epoch);
  ++counters_.saves;
  did_work_ = true;
}

// ---- intake: source -> route -> window

Result<void> Pipeline::intake(Now now) {
  size_t taken = 0;
  do {
    give_credit();
    batch_.clear();
    auto polled = source_.poll(batch_, credit_, now);
    if (!polled) return polled;
    for (core::Item& item : batch_) take(item);
    taken += batch_.size();
  } while (batch_.size() >= core::kIntakeItemsPerPoll && taken < core::kIntakeItemsPerStep);
  if (taken > 0) did_work_ = true;
  batch_.clear();  // frees the chunk refs of items that moved nowhere
  return {};
}

void Pipeline::give_credit() {
  const size_t held = open_bytes();
  const size_t free = held < options_.window_bytes ? options_.window_bytes - held : 0;
  // Each stream's share of what all may take now; never nothing while something is free.
  const size_t bytes = std::min(free, std::max<size_t>(free / windows_.size(), 1));
  for (size_t stream = 0; stream < windows_.size(); ++stream) {
    const size_t events = std::min(windows_[stream].free_cells(), core::kIntakeItemsPerPoll);
    credit_[stream] = taking_ ? core::Credit{events, bytes} : core::Credit{};
  }
}

void Pipeline::take(core::Item& item) {
  Window& window = windows_[item.stream.value];
  if (item.kind == core::ItemKind::boundary) {
    window.add_boundary(item.event.position);
    return;
  }
  ++counters_.taken;
  counters_.taken_bytes += item.event.bytes();
  const Ticket ticket{item.stream, window.add(item.event, std::move(item.chunk))};
  Decision decision = router_.route(item.event);
  Cell& added = cell(ticket);
  added.route = decision.route;
  added.destination = decision.destination;
  if (decision.verdict == Verdict::reject) refuse(ticket, std::move(*decision.cause));
}

// ---- submit: lanes that are due, then the window in order

void Pipeline::submit(Now now, const Lease& lease) {
  if (!lease.holds_at(now.instant)) return;
  for (size_t stream = 0; stream < windows_.size(); ++stream) {
    submit_dead_letters(StreamId{static_cast<uint16_t>(stream)}, now, lease);
  }
  if (retry_.waits_at(now.instant)) return;
  Admission answer = Admission::admitted;
  const uint64_t generation = sink_.wait_generation();
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
    if (!lanes_.empty() && lanes_.holds(key_of(ticket))) {
      lanes_.add(key_of(ticket), ticket);
      cell(ticket).state = CellState::in_lane;
      continue;
    }
    const uint64_t generation = sink_.wait_generation();
    const Admission answer = submit_cell(ticket, now, lease);
    if (answer == Admission::full) return answer;
    if (answer == Admission::wait) {
      if (lanes_.empty()) lanes_offered_at_ = generation;
      lanes_.add(key_of(ticket), ticket);
      cell(ticket).state = CellState::in_lane;
    }
  }
  return Admission::admitted;
}

Admission Pipeline::submit_cell(Ticket ticket, Now now, const Lease& lease) {
  Cell& next = cell(ticket);
  if (auto cause = router_.refusal(next.event, next.route, *next.destination, now)) {
    refuse(ticket, std::move(*cause));
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

// Dead letters leave in the order of their stream too: one waits while an event before it is still
// being delivered, since that may be refused yet and then goes first (invariant 3).
void Pipeline::submit_dead_letters(StreamId stream, Now now, const Lease& lease) {
  if (dead_letters_waiting_ == 0 || journal_retry_.waits_at(now.instant)) return;
  Window& window = windows_[stream.value];
  for (; window.journal_cursor() != window.end(); window.advance_journal_cursor()) {
    const Ticket ticket{stream, window.journal_cursor()};
    Cell& next = window.at(ticket.index);
    if (next.state == CellState::settled) continue;
    if (next.purpose == Purpose::deliver) return;
    if (next.state == CellState::outside) continue;
    if (journal_.submit(delivery_of(ticket, next, lease), now) != Admission::admitted) return;
    next.state = CellState::outside;
    --dead_letters_waiting_;
    did_work_ = true;
  }
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
  delivery.position_form = source_.position_form();
  delivery.purpose = next.purpose;
  return delivery;
}

uint64_t Pipeline::key_of(Ticket ticket) {
  const Cell& keyed = cell(ticket);
  const uint64_t salt = 0x9e3779b97f4a7c15ULL;
  if (!keyed.event.aggregate_id) return (ticket.pack() + 1) * salt;
  const uint64_t key = std::hash<std::string_view>()(*keyed.event.aggregate_id);
  return key ^ ((uint64_t{keyed.destination->id} + 1) * salt);
}

// Only what lies ahead: what is due already waits for something that wakes the loop by itself.
core::Instant Pipeline::wake_at(core::Instant now) const {
  core::Instant wake = core::kNever;
  const auto at = [&](core::Instant instant) {
    if (instant > now) wake = std::min(wake, instant);
  };
  if (dead_letters_waiting_ != 0) at(journal_retry_.until());
  if (open_cells() != 0) at(retry_.until());
  for (const SavedProgress& saved : saved_) at(save_due(saved));
  return wake;
}

}  // namespace outbox::flow
