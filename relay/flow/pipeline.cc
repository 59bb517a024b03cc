#include "relay/flow/pipeline.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/failpoint.h"
#include "relay/flow/final_error.h"
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

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options, core::Source& source, Router& router,
                   core::Sink& sink, core::Sink& journal, core::Checkpoint& checkpoint,
                   core::Source* replay)
    : options_(options),
      source_(source),
      router_(router),
      sink_(sink),
      journal_(journal),
      checkpoint_(checkpoint),
      replay_(replay),
      brake_(options.brake),
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
  if (replay_ != nullptr) {
    OUTBOX_ASSERT(replay_->stream_count() == 1);
    windows_.emplace_back(options.window_cells);
  }
  counters_.routes.resize(router.routes().size());
}

Result<Pipeline::Next> Pipeline::step(Now now, const Lease& lease) {
  did_work_ = false;
  if (auto settled = settle(sink_, now); !settled) return settled.error();
  if (auto settled = settle(journal_, now); !settled) return settled.error();
  if (auto confirmed = confirm(now, lease); !confirmed) return confirmed.error();
  if (replay_ != nullptr) {
    if (auto taken = intake_replay(now); !taken) return taken.error();
  }
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
                                                      : complete_journal(completion, now);
    if (!completed) return completed;
  }
  core::hit_failpoint(core::Failpoint::after_sink_acknowledged);
  return {};
}

Result<void> Pipeline::complete(Completion& completion, Now now) {
  Cell& done = cell(completion.ticket);
  switch (completion.outcome) {
    case Outcome::durable: {
      retry_.succeeded(now.instant);
      if (is_replay(completion.ticket.stream)) {
        to_journal(completion.ticket, Purpose::result, nullptr);
        return {};
      }
      brake_.delivered();
      RouteCounters& route = counters_.routes[done.route];
      ++route.delivered;
      route.commit_to_acknowledged.record(now.wall.us - done.event.commit_time.us);
      settle_cell(completion.ticket);
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
      done.cause = completion.cause && !completion.cause->code.empty()
                       ? std::move(completion.cause)
                       : std::make_unique<core::Cause>("REJECTED", "the sink gave no cause");
      refuse(completion.ticket);
      return {};
    case Outcome::unknown:
      return stopped("UNKNOWN_OUTCOME", core::to_string(done.event.id), describe(completion),
                     "Nobody knows whether it arrived; it is not sent again");
    case Outcome::fatal:
      return stopped("SINK_FATAL", core::to_string(done.event.id), describe(completion), "");
  }
  return {};
}

void Pipeline::settle_cell(Ticket ticket) { windows_[ticket.stream.value].settle(ticket.index); }

// ---- confirm: watermark -> progress saved -> source

Result<void> Pipeline::confirm(Now now, const Lease& lease) {
  for (Window& window : windows_) window.advance();
  if (replay_ != nullptr) confirm_replay();
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
    for (size_t stream = 0; stream < credit_.size(); ++stream) {
      credit_[stream] = credit_of(windows_[stream]);
    }
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

// A stream's share of what all may take now; never nothing while something is free. Before the
// blocked keys are known nothing of the source is taken: it could pass a letter of its key.
core::Credit Pipeline::credit_of(const Window& window) const {
  const bool live = !is_replay(StreamId{static_cast<uint16_t>(&window - windows_.data())});
  if (!taking_ || brake_.engaged()) return {};
  if (live && replay_ != nullptr && (!blocked_known_ || blocked_.full())) return {};
  const size_t held = open_bytes();
  const size_t free = held < options_.window_bytes ? options_.window_bytes - held : 0;
  return {std::min(window.free_cells(), core::kIntakeItemsPerPoll),
          std::min(free, std::max<size_t>(free / windows_.size(), 1))};
}

void Pipeline::take(core::Item& item) {
  if (item.kind == core::ItemKind::boundary) {
    windows_[item.stream.value].add_boundary(item.event.position);
    return;
  }
  OUTBOX_ASSERT(item.kind == core::ItemKind::event);
  ++counters_.taken;
  counters_.taken_bytes += item.event.bytes();
  Ticket ticket{item.stream, 0};
  if (add(ticket, item).cause) refuse(ticket);
}

Cell& Pipeline::add(Ticket& ticket, core::Item& item) {
  ticket.index = windows_[ticket.stream.value].add(item.event, std::move(item.chunk));
  Decision decision = router_.route(item.event);
  Cell& added = cell(ticket);
  added.route = decision.route;
  added.destination = decision.destination;
  added.cause = std::move(decision.cause);
  return added;
}

// Only what lies ahead: what is due already waits for something that wakes the loop by itself.
core::Instant Pipeline::wake_at(core::Instant now) const {
  core::Instant wake = core::kNever;
  const auto at = [&](core::Instant instant) {
    if (instant > now) wake = std::min(wake, instant);
  };
  if (journal_waiting_ != 0) at(journal_retry_.until());
  if (open_cells() != 0) at(retry_.until());
  for (const SavedProgress& saved : saved_) at(save_due(saved));
  return wake;
}

}  // namespace outbox::flow
