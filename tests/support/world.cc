#include "tests/support/world.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::support {
namespace {

// More steps in a row than any finite work needs: the loop would spin for ever.
constexpr int kStepsInARowMax = 100'000;

bool matches(const std::optional<std::string>& wanted, const std::string& actual) {
  return !wanted || *wanted == actual;
}

}  // namespace

World::World(WorldOptions options)
    : upstreams(options.streams),
      store(options.streams),
      judge(options.streams),
      options_(std::move(options)) {
  if (options_.started) start();
}

void World::commit(uint64_t commit_lsn, std::vector<EventSpec> events, Fate fate, uint16_t stream) {
  commit(
      commit_lsn, std::move(events), [fate](const EventSpec&) { return fate; }, stream);
}

void World::commit(uint64_t commit_lsn, std::vector<EventSpec> events,
                   const std::function<Fate(const EventSpec&)>& fate_of, uint16_t stream) {
  const size_t count = events.size();
  for (EventSpec& event : events) event.commit_time = clock.now().wall;
  FakeUpstream& upstream = upstreams[stream];
  upstream.commit(commit_lsn, commit_lsn + 1, std::move(events));
  const auto& entries = upstream.entries();
  for (size_t at = entries.size() - 1 - count; at < entries.size() - 1; ++at) {
    const EventSpec& spec = entries[at].event;
    judge.committed(core::StreamId{stream}, spec, destination_of(spec), fate_of(spec));
    EventMaker weighed;
    largest_event_bytes_ = std::max(largest_event_bytes_, weighed.make(spec).event.bytes());
  }
  judge.boundary(core::StreamId{stream}, upstream.end());
}

void World::keepalive(uint64_t lsn, uint16_t stream) {
  upstreams[stream].keepalive(lsn);
  judge.boundary(core::StreamId{stream}, upstreams[stream].end());
}

std::string World::destination_of(const EventSpec& spec) const {
  for (const flow::Route& route : options_.routes) {
    if (matches(route.aggregate_type, spec.aggregate_type) &&
        matches(route.event_type, spec.event_type)) {
      return route.topic;
    }
  }
  return spec.aggregate_type;
}

void World::start() {
  OUTBOX_ASSERT(!process_);
  error.reset();
  epoch_ = ++store.epoch;
  judge.process_started(epoch_);
  Process process;
  Witness* const witness = this;
  process.source = std::make_unique<FakeSource>(upstreams, store.rows, witness);
  process.checkpoint = std::make_unique<FakeCheckpoint>(store, witness);
  process.sink = std::make_unique<FakeSink>(witness);
  process.journal = std::make_unique<FakeSink>(witness, &letters);
  if (options_.replays) process.replay = std::make_unique<FakeReplay>(letters);
  for (const uint64_t number : poisoned) process.sink->poison(number);
  process.router =
      std::make_unique<flow::Router>(options_.routes, *process.sink, options_.pre_checks);
  process.pipeline = std::make_unique<flow::Pipeline>(
      options_.pipeline, *process.source, *process.router, *process.sink, *process.journal,
      *process.checkpoint, process.replay.get());
  process_ = std::move(process);
  wake_at_ = clock.now().instant;
}

void World::crash() { process_.reset(); }

void World::mend() {
  poisoned.clear();
  sink().mend();
  judge.mended();
  replay().replay();
}

std::optional<flow::Pipeline::Next> World::step() {
  OUTBOX_ASSERT(process_ && !error);
  ++step_count;
  judge.lease_holds(lease_held_);
  const core::Instant now = clock.now().instant;
  const core::Lease lease{epoch_, lease_held_ ? core::kNever : now};
  auto next = pipeline().step(clock.now(), lease);
  const size_t streams = options_.streams + (options_.replays ? 1 : 0);
  judge.holds(pipeline().open_cells(), streams * options_.pipeline.window_cells,
              pipeline().open_bytes(),
              options_.pipeline.window_bytes + streams * largest_event_bytes_);
  if (!next) {
    error = next.error();
    return std::nullopt;
  }
  if (next->wake_at <= now) judge.at_fault(7, "wake_at lies in the past: the loop would spin");
  wake_at_ = next->wake_at;
  return *next;
}

bool World::news() const {
  return process_->source->ready() || (process_->replay && process_->replay->ready()) ||
         process_->sink->ready() || process_->journal->ready() || process_->checkpoint->ready() ||
         wake_at_ <= clock.now().instant;
}

void World::run() {
  int in_a_row = 0;
  for (bool worked = false; worked || news();) {
    if (error || judge.violated() || steps_used_up()) return;
    if (++in_a_row > kStepsInARowMax) return judge.at_fault(7, "the loop spins");
    const auto next = step();
    worked = next && next->did_work;
  }
}

void World::run_for(core::Duration limit) {
  const core::Instant until = clock.now().instant + limit;
  for (run(); !error && !judge.violated() && !steps_used_up() && wake_at_ <= until; run()) {
    clock.advance_to(wake_at_);
  }
}

void World::submitted(const core::Delivery& delivery, core::Admission admission) {
  judge.submitted(delivery, admission);
  if (options_.witness != nullptr) options_.witness->submitted(delivery, admission);
}

void World::landed(const core::Delivery& delivery) {
  const uint64_t number = number_of(delivery.event->id);
  if (delivery.purpose == core::Purpose::deliver) delivered.push_back(number);
  if (delivery.purpose == core::Purpose::dead_letter) dead_letters.push_back(number);
  judge.landed(delivery);
  if (delivery.purpose == core::Purpose::hold || delivery.purpose == core::Purpose::park) {
    core::Progress& row = store.rows[delivery.ticket.stream.value];
    row.settled = std::max(row.settled, delivery.event->position);
    judge.saved(row);
  }
  if (options_.witness != nullptr) options_.witness->landed(delivery);
}

void World::refused(const core::Delivery& delivery) {
  judge.refused(delivery);
  if (options_.witness != nullptr) options_.witness->refused(delivery);
}

void World::completed(const core::Delivery& delivery, core::Outcome outcome) {
  judge.completed(delivery, outcome);
  if (options_.witness != nullptr) options_.witness->completed(delivery, outcome);
}

void World::save_started(const core::Progress& progress, uint64_t epoch) {
  judge.save_started(progress, epoch);
  if (options_.witness != nullptr) options_.witness->save_started(progress, epoch);
}

void World::saved(const core::Progress& progress) {
  judge.saved(progress);
  if (options_.witness != nullptr) options_.witness->saved(progress);
}

void World::confirmed(const core::Settled& settled) {
  judge.confirmed(settled);
  if (options_.witness != nullptr) options_.witness->confirmed(settled);
}

}  // namespace outbox::support
