#include "tests/sim/simulation.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace outbox::sim {
namespace {

using std::chrono::microseconds;
using support::EventSpec;
using support::FakeCheckpoint;
using support::Fate;

// What the router's tables in plan.cc do with an aggregate type, said once more from outside.
constexpr std::string_view kDelivered[] = {"order", "invoice"};
constexpr std::string_view kMissing = "ghost";
constexpr std::string_view kIllegal = "no topic";
constexpr std::string_view kSkipped = "noise";

// Far beyond what any run needs; a pipeline that is still at it does not heal.
constexpr int kHealingRoundsMax = 200'000;

}  // namespace

struct Simulation::Process {
  std::unique_ptr<support::FakeSource> source;
  std::unique_ptr<support::FakeReplay> replay;  // null: the journal gives nothing back
  std::unique_ptr<FakeCheckpoint> checkpoint;
  std::unique_ptr<flow::Router> router;
  std::unique_ptr<flow::Pipeline> pipeline;
  std::unique_ptr<KafkaModel> journal;
  std::unique_ptr<KafkaModel> sink;
};

Simulation::Simulation(uint64_t seed, Telling telling, Coverage& coverage)
    : random_(seed),
      telling_(telling),
      coverage_(coverage),
      plan_(draw_plan(random_)),
      upstreams_(plan_.streams),
      store_(plan_.streams),
      judge_(plan_.streams),
      narrator_(judge_, store_, telling == Telling::every_action) {
  if (plan_.keeps()) judge_.fate_if_refused(Fate::keep);
  taken_.push_back(Taken::well);  // no event has number 0
  if (telling == Telling::every_action) std::fputs(describe(plan_).c_str(), stdout);
}

Simulation::~Simulation() = default;

void Simulation::tell(const std::string& what) const {
  if (telling_ == Telling::every_action) std::printf("%s\n", what.c_str());
}

std::string Simulation::run() {
  start();
  for (uint64_t done = 0; done < plan_.actions && !judge_.violated(); ++done) act(draw_action());
  if (!judge_.violated()) heal();
  coverage_.duplicates += judge_.duplicates();
  coverage_.events += committed_events_;
  process_.reset();
  return judge_.violation();
}

// ---- what services commit

EventSpec Simulation::draw_event(Fate* fate, std::string* destination) {
  EventSpec spec;
  spec.number = next_number_++;
  spec.aggregate_type = kDelivered[random_.below(2)];
  *fate = Fate::deliver;
  Taken taken = Taken::well;
  if (chance(plan_.bad_event_chance)) {
    *fate = Fate::dead_letter;
    switch (random_.below(5)) {
      case 0:
        spec.aggregate_type = kMissing;
        break;
      case 1:
        spec.aggregate_type = kIllegal;
        break;
      case 2:
        spec.aggregate_type = kSkipped;
        *fate = Fate::skip;
        ++coverage_.skipped;
        break;
      case 3:
        taken = Taken::refused_by_broker;
        break;
      case 4:
        // Without a fence what follows may be delivered before it: not where keys are blocked.
        taken = plan_.keeps() ? Taken::refused_by_broker : Taken::refused_by_client;
        break;
    }
    if (plan_.keeps() && *fate == Fate::dead_letter) *fate = Fate::keep;
    if (mended_ && *fate == Fate::keep && spec.aggregate_type != kIllegal) {
      *fate = Fate::deliver;
      taken = Taken::well;
    }
  }
  if (*fate == Fate::dead_letter) ++coverage_.dead_letters;
  if (!chance(plan_.unkeyed_chance))
    spec.key = std::string(1, static_cast<char>('a' + random_.below(plan_.keys)));
  if (!chance(5)) spec.payload = std::string(random_.below(plan_.payload_max), 'x');
  *destination = "outbox.event." + spec.aggregate_type;
  taken_.push_back(taken);
  return spec;
}

void Simulation::commit() {
  if (committed_events_ >= plan_.events_max) return;
  const uint16_t stream = static_cast<uint16_t>(random_.below(plan_.streams));
  support::FakeUpstream& upstream = upstreams_[stream];
  const bool huge = chance(plan_.huge_chance);
  const uint64_t count = huge ? 20 + random_.below(40) : random_.below(plan_.transaction_max + 1);
  if (huge) ++coverage_.huge_transactions;
  std::vector<EventSpec> events;
  std::vector<std::pair<Fate, std::string>> known;
  for (uint64_t i = 0; i < count; ++i) {
    Fate fate{};
    std::string destination;
    events.push_back(draw_event(&fate, &destination));
    events.back().commit_time = clock_.now().wall;
    known.emplace_back(fate, std::move(destination));
    // A rolled-back neighbour used up a number; it must never be seen.
    if (chance(10)) ++next_number_, taken_.push_back(Taken::well);
  }
  // The next commit record starts where the last one ended, or later.
  const uint64_t commit_lsn = std::max<uint64_t>(upstream.end().major, 1) + random_.below(3);
  const uint64_t end_lsn = commit_lsn + 1 + random_.below(5);
  tell("commit " + std::to_string(count) + " events at " + std::to_string(commit_lsn));
  upstream.commit(commit_lsn, end_lsn, std::move(events));
  const auto& entries = upstream.entries();
  for (uint64_t i = 0; i < count; ++i) {
    judge_.committed(core::StreamId{stream}, entries[entries.size() - 1 - count + i].event,
                     known[i].second, known[i].first);
  }
  judge_.boundary(core::StreamId{stream}, upstream.end());
  committed_events_ += count;
}

void Simulation::keepalive() {
  const uint16_t stream = static_cast<uint16_t>(random_.below(plan_.streams));
  const uint64_t lsn = std::max<uint64_t>(upstreams_[stream].end().major, 1) + random_.below(10);
  tell("keepalive at " + std::to_string(lsn));
  upstreams_[stream].keepalive(lsn);
  judge_.boundary(core::StreamId{stream}, upstreams_[stream].end());
  ++coverage_.keepalives;
}

// ---- the process

void Simulation::start() {
  epoch_ = ++store_.epoch;
  judge_.process_started(epoch_);
  auto process = std::make_unique<Process>();
  process->source = std::make_unique<support::FakeSource>(upstreams_, store_.rows, &narrator_);
  process->source->items_per_poll(plan_.items_per_poll);
  process->source->hold_status();
  process->checkpoint = std::make_unique<FakeCheckpoint>(store_, &narrator_);
  process->checkpoint->saves(FakeCheckpoint::Saves::held);
  process->sink =
      std::make_unique<KafkaModel>(plan_.sink_weather, taken_, narrator_, coverage_.sink);
  if (!mended_) process->sink->missing_topic("outbox.event." + std::string(kMissing));
  process->journal =
      std::make_unique<KafkaModel>(plan_.journal_weather, taken_, narrator_, coverage_.journal,
                                   plan_.keeps() ? &letters_ : nullptr);
  if (plan_.keeps()) process->replay = std::make_unique<support::FakeReplay>(letters_);
  flow::Route all = flow::default_route();
  if (plan_.refused == Refused::hold) all.on_failure = flow::OnFailure::hold;
  if (plan_.refused == Refused::park) all.on_failure = flow::OnFailure::park;
  process->router = std::make_unique<flow::Router>(
      std::vector<flow::Route>{
          {"noise", std::string(kSkipped), {}, "not a topic", flow::OnFailure::skip},
          std::move(all)},
      *process->sink);
  process->pipeline = std::make_unique<flow::Pipeline>(
      plan_.pipeline, *process->source, *process->router, *process->sink, *process->journal,
      *process->checkpoint, process->replay.get());
  process_ = std::move(process);
  wake_at_ = clock_.now().instant;
  tell("start with epoch " + std::to_string(epoch_));
}

void Simulation::crash() {
  tell("crash");
  ++coverage_.crashes;
  const core::Progress& row = store_.rows[0];
  if (row.settled > row.boundary) ++coverage_.crashes_inside_a_transaction;
  if (row.boundary > upstreams_[0].confirmed()) ++coverage_.crashes_between_save_and_confirm;
  process_->sink->die(random_);
  process_->journal->die(random_);
  if (process_->checkpoint->saving() && chance(50)) {
    process_->checkpoint->disconnect(FakeCheckpoint::Reached::yes);
  }
  if (chance(50)) process_->source->send_status();
  process_.reset();
  start();
}

void Simulation::step() {
  ++coverage_.steps;
  judge_.lease_holds(lease_held_);
  const core::Now now = clock_.now();
  flow::Pipeline& pipeline = *process_->pipeline;
  const core::Lease lease{epoch_, lease_held_ ? core::kNever : now.instant};
  auto next = pipeline.step(now, lease);
  judge_.holds(pipeline.open_cells(), plan_.windows() * plan_.pipeline.window_cells,
               pipeline.open_bytes(), plan_.bytes_max());
  if (!next) {
    tell("stopped: " + core::to_string(next.error()));
    if (next.error().code != "EPOCH_FENCED") {
      judge_.at_fault(9, "the pipeline stopped: " + core::to_string(next.error()));
    }
    return crash();
  }
  worked_ = next->did_work;
  wake_at_ = next->wake_at;
  if (wake_at_ <= now.instant) judge_.at_fault(7, "wake_at lies in the past: the loop would spin");
}

// ---- what happens between steps

Action Simulation::draw_action() {
  uint64_t drawn = random_.below(plan_.weight_sum);
  for (size_t action = 0;; ++action) {
    if (drawn < plan_.weights[action]) return static_cast<Action>(action);
    drawn -= plan_.weights[action];
  }
}

void Simulation::act(Action action) {
  switch (action) {
    case Action::step:
      return step();
    case Action::sink:
      return process_->sink->act(random_);
    case Action::journal:
      return process_->journal->act(random_);
    case Action::commit:
      return commit();
    case Action::keepalive:
      return keepalive();
    case Action::wait:
      return wait();
    case Action::checkpoint:
      return act_on_checkpoint();
    case Action::source:
      return act_on_source();
    case Action::lease:
      lease_held_ = !lease_held_;
      if (!lease_held_) ++coverage_.leases_lost;
      return tell(lease_held_ ? "lease regained" : "lease lost");
    case Action::crash:
      return crash();
    case Action::overtake:
      // Another relay raises the epoch and goes away again: this one is refused at its next save.
      ++store_.epoch;
      ++coverage_.relays_overtaken;
      return tell("overtaken");
    case Action::replay:
      return replay();
  }
}

void Simulation::wait() {
  const uint64_t kind = random_.below(10);
  const uint64_t most_us = kind < 6 ? 1'000 : kind < 9 ? 150'000 : 12'000'000;
  clock_.advance(microseconds(1 + random_.below(most_us)));
}

void Simulation::act_on_checkpoint() {
  FakeCheckpoint& checkpoint = *process_->checkpoint;
  if (chance(plan_.save_doubt_chance)) {
    if (checkpoint.saving()) ++coverage_.saves_in_doubt;
    tell("checkpoint connection lost");
    return checkpoint.disconnect(chance(50) ? FakeCheckpoint::Reached::yes
                                            : FakeCheckpoint::Reached::no);
  }
  checkpoint.reconnect();
  checkpoint.complete();
}

void Simulation::act_on_source() {
  support::FakeSource& source = *process_->source;
  if (chance(plan_.disconnect_chance)) {
    ++coverage_.reconnects;
    tell("source connection lost");
    return source.disconnect();
  }
  source.connect();
  source.send_status();
}

// ---- the end: all faults are over, and nothing but the pipeline's own wake-ups drives it

void Simulation::heal() {
  tell("all faults end");
  worked_ = true;
  for (int round = 0; !judge_.violated(); ++round) {
    if (round > kHealingRoundsMax) return judge_.at_fault(9, "it does not come to rest");
    end_faults();
    if (worked_ || woken()) {
      step();
    } else if (process_->sink->busy()) {
      process_->sink->act(random_);
    } else if (process_->journal->busy()) {
      process_->journal->act(random_);
    } else if (wake_at_ != core::kNever) {
      clock_.advance_to(wake_at_);
    } else if (committed_events_ < plan_.events_max && chance(50)) {
      commit();
    } else if (plan_.keeps() && !mended_) {
      judge_.at_rest();
      mend_all();
    } else {
      return check_rest();
    }
  }
}

// Again in each round, since an overtaken relay is started anew.
void Simulation::end_faults() {
  lease_held_ = true;
  process_->sink->calm_down();
  process_->journal->calm_down();
  process_->checkpoint->reconnect();
  process_->checkpoint->saves(FakeCheckpoint::Saves::at_once);
  process_->source->connect();
  process_->source->send_status();
}

// Like the runner, which sleeps unless one of these wakes it.
bool Simulation::woken() const {
  return process_->sink->ready() || process_->journal->ready() || process_->checkpoint->ready() ||
         process_->source->ready() || (process_->replay && process_->replay->ready()) ||
         wake_at_ <= clock_.now().instant;
}

void Simulation::replay() {
  if (letters_.open() > 0 && chance(50)) {
    mend(letters_.all()[random_.below(letters_.all().size())].event.number);
  }
  tell("replay");
  process_->replay->replay();
}

void Simulation::mend(uint64_t number) {
  if (taken_[number] != Taken::refused_by_broker) return;
  tell("mend event " + std::to_string(number));
  taken_[number] = Taken::well;
  judge_.mended(number);
}

// All but the events for which there is no topic of a legal name.
void Simulation::mend_all() {
  tell("all is mended");
  mended_ = true;
  for (uint64_t number = 1; number < next_number_; ++number) mend(number);
  process_->sink->make_topic("outbox.event." + std::string(kMissing));
  for (const auto& letter : letters_.all()) {
    ++coverage_.kept;
    if (letter.cause.empty()) ++coverage_.kept_behind;
    coverage_.refused_again += letter.refused_again;
    if (letter.event.aggregate_type == kMissing) judge_.mended(letter.event.number);
  }
  process_->replay->replay();
}

void Simulation::check_rest() {
  for (const auto& letter : letters_.all()) {
    if (letter.open && letter.event.aggregate_type != kIllegal) {
      judge_.at_fault(9, "a letter is open though its cause is mended: event " +
                             std::to_string(letter.event.number));
    }
  }
  flow::Pipeline& pipeline = *process_->pipeline;
  judge_.at_rest();
  if (pipeline.open_cells() != 0 || pipeline.open_bytes() != 0)
    judge_.at_fault(9, "cells are open");
  if (process_->source->pool().held_bytes() != 0) judge_.at_fault(7, "chunks are held at rest");
  pipeline.stop_intake();
  step();
  if (!pipeline.drained()) judge_.at_fault(9, "at rest, but not drained");
}

}  // namespace outbox::sim
