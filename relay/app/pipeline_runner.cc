#include "relay/app/pipeline_runner.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::app {
namespace {

using core::Instant;
using core::Now;

// A snapshot is a few hundred bytes to copy; ten a second is plenty for any eye or scraper.
constexpr auto kPublishEvery = std::chrono::milliseconds(100);
// With nothing to do the loop still ticks, so that a dead one can be told from an idle one.
constexpr auto kTickEvery = std::chrono::milliseconds(500);
// A sink that hangs reports no trouble before its own timeouts, which are a minute. Nothing that
// works takes this long for one event.
constexpr auto kAnswerWithin = std::chrono::seconds(10);

Now read_clock() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return Now{std::chrono::steady_clock::now(),
             core::WallTime{int64_t{wall.tv_sec} * 1'000'000 + wall.tv_nsec / 1'000}};
}

timespec until(Instant now, Instant then) {
  const auto wait = std::max(then - now, core::Duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  return timespec{static_cast<time_t>(seconds.count()),
                  static_cast<long>((wait - seconds).count())};
}

}  // namespace

PipelineRunner::PipelineRunner(PipelineParts parts, std::chrono::milliseconds drain_timeout,
                               SnapshotBoard& board, Log& log)
    : parts_(std::move(parts)),
      drain_timeout_(drain_timeout),
      board_(board),
      log_(log),
      router_(parts_.routes, *parts_.sink, parts_.pre_checks),
      recovery_(parts_.replay_after) {
  pipeline_.emplace(parts_.options, *parts_.source, router_, *parts_.sink, *parts_.journal,
                    *parts_.checkpoint, parts_.replay.get());
}

// Sinks first: their clients still read the bytes that the window holds. Then the window, then the
// source, whose chunks they are.
PipelineRunner::~PipelineRunner() {
  parts_.sink.reset();
  parts_.journal.reset();
  parts_.behind_journal.clear();
  pipeline_.reset();
  parts_.replay.reset();
  parts_.checkpoint.reset();
  parts_.source.reset();
}

void PipelineRunner::stop() {
  stopping_ = true;
  wakeup_.signal();
}

std::optional<core::Error> PipelineRunner::run() {
  auto error = loop();
  const std::string open = std::to_string(pipeline_->open_cells());
  if (error) {
    noted_health_ = core::Health{core::HealthState::stopped, core::to_string(*error)};
    log_.error("pipeline stopped", {{"pipeline", parts_.name}, {"reason", noted_health_.reason}});
  } else {
    noted_health_ = core::Health{core::HealthState::stopped, "told to stop"};
    // What is still open past the drain timeout is not confirmed and comes again at the next start.
    log_.info("pipeline stopped", {{"pipeline", parts_.name}, {"open_events", open}});
  }
  const Now now = read_clock();
  parts_.close(now);
  note_notices();
  publish(now);
  preparation_.reset();  // may wait for its look
  return error;
}

std::optional<core::Error> PipelineRunner::loop() {
  preparation_.emplace(parts_.prepare, wakeup_);
  while (true) {
    if (auto failure = preparation_->failure()) return failure;
    const Now now = read_clock();
    auto next = pipeline_->step(now, parts_.lease(now.instant));
    if (!next) return next.error();
    if (stopping_ && drained_or_late(now)) return std::nullopt;
    if (now.instant >= publish_at_) {
      publish_at_ = now.instant + kPublishEvery;
      braked_ = pipeline_->brake().engaged();
      note_health(health(now));
      replay_what_recovered(now);
      note_refusals();
      note_notices();
      publish(now);
    }
    if (!next->did_work) sleep(now, next->wake_at);
  }
}

void PipelineRunner::replay_what_recovered(Now now) {
  if (!parts_.replay_route) return;
  std::vector<flow::Recovery::Counted> counted;
  for (const flow::RouteCounters& route : pipeline_->counters().routes) {
    counted.push_back({route.delivered, route.refused});
  }
  const bool healthy = noted_health_.state == core::HealthState::ok;
  for (const uint32_t route : recovery_.look(now.instant, healthy, counted)) {
    parts_.replay_route(route);
  }
}

bool PipelineRunner::drained_or_late(Now now) {
  if (!drain_until_) {
    drain_until_ = now.instant + drain_timeout_;
    pipeline_->stop_intake();
    wakeup_.clear();
  }
  return pipeline_->drained() || now.instant >= *drain_until_;
}

void PipelineRunner::sleep(Now now, Instant wake_at) {
  Instant wake = std::min(wake_at, now.instant + kTickEvery);
  if (drain_until_) wake = std::min(wake, *drain_until_);
  std::array<pollfd, 8> waiting{};
  nfds_t count = 0;
  waiting[count++] = pollfd{wakeup_.fd(), POLLIN, 0};
  const auto wait_for = [&](const core::Interest& interest) {
    wake = std::min(wake, interest.wake_at);
    if (interest.fd < 0) return;
    if (interest.not_before > now.instant) {
      wake = std::min(wake, interest.not_before);
      return;
    }
    const int events = (interest.readable ? POLLIN : 0) | (interest.writable ? POLLOUT : 0);
    OUTBOX_ASSERT(count < waiting.size());
    waiting[count++] = pollfd{interest.fd, static_cast<short>(events), 0};
  };
  wait_for(parts_.source->interest(now.instant));
  wait_for(parts_.sink->interest(now.instant));
  wait_for(parts_.journal->interest(now.instant));
  for (const auto& part : parts_.behind_journal) wait_for(part->interest(now.instant));
  if (parts_.replay) wait_for(parts_.replay->interest(now.instant));
  wait_for(parts_.checkpoint->interest(now.instant));
  const timespec timeout = until(now.instant, wake);
  ppoll(waiting.data(), count, &timeout, nullptr);
}

// The worst of what the parts say; a part that waits explains why nothing moves.
core::Health PipelineRunner::health(Now now) {
  if (pipeline_->brake().engaged()) return {core::HealthState::stopped, brake_reason()};
  if (!pipeline_->retry_reason().empty()) {
    return core::Health{core::HealthState::waiting, pipeline_->retry_reason()};
  }
  std::vector<core::Health> parts = {parts_.source->health(), parts_.checkpoint->health(),
                                     parts_.sink->health(), parts_.journal->health(),
                                     preparation_->health()};
  for (const auto& part : parts_.behind_journal) parts.push_back(part->health());
  if (parts_.replay) parts.push_back(parts_.replay->health());
  core::Health worst{core::HealthState::ok, ""};
  for (const core::Health& part : parts) {
    if (part.state == core::HealthState::waiting) return part;
    if (part.state == core::HealthState::starting && worst.state == core::HealthState::ok)
      worst = part;
    // What works and has something to say: events that wait for somebody's open transaction.
    if (part.state == core::HealthState::ok && worst.state == core::HealthState::ok &&
        worst.reason.empty()) {
      worst = part;
    }
  }
  if (stalled(now) && worst.state == core::HealthState::ok) {
    return core::Health{core::HealthState::waiting,
                        "the oldest open event got no answer for 10 s: the sink does not report "
                        "trouble, but does not acknowledge either"};
  }
  return worst;
}

std::string PipelineRunner::brake_reason() const {
  const flow::BrakeOptions& brake = pipeline_->brake().options();
  const core::Cause& newest = pipeline_->newest_refusal()->cause;
  return "the brake: more than " + std::to_string(brake.refused_max) + " of the last " +
         std::to_string(brake.window_events) + " events were refused, the newest with " +
         newest.code + " (" + newest.detail +
         "). Nothing is taken in or delivered, and what was not settled is not confirmed. Mend the "
         "cause, then send SIGHUP or restart";
}

bool PipelineRunner::stalled(Now now) {
  const flow::Window& window = pipeline_->window(core::StreamId{0});
  if (window.empty() || window.begin() != oldest_open_) {
    oldest_open_ = window.begin();
    oldest_open_since_ = now.instant;
  }
  return now.instant - oldest_open_since_ > kAnswerWithin;
}

void PipelineRunner::note_health(const core::Health& health) {
  if (health.state == noted_health_.state && health.reason == noted_health_.reason) return;
  const bool was_ok = noted_health_.state == core::HealthState::ok;
  noted_health_ = health;
  if (health.state == core::HealthState::ok) {
    if (!was_ok) log_.info("pipeline ok", {{"pipeline", parts_.name}});
  } else {
    log_.warn("pipeline not ok", {{"pipeline", parts_.name},
                                  {"state", core::to_string(health.state)},
                                  {"reason", health.reason}});
  }
}

// One line for all refusals since the last look: a poisoned topic must not flood the log.
void PipelineRunner::note_refusals() {
  const auto& refusal = pipeline_->newest_refusal();
  if (!refusal || refusal->count == noted_refusals_) return;
  log_.warn("events refused", {{"pipeline", parts_.name},
                               {"count", std::to_string(refusal->count - noted_refusals_)},
                               {"newest", place_text(*refusal)},
                               {"code", refusal->cause.code},
                               {"detail", refusal->cause.detail}});
  noted_refusals_ = refusal->count;
}

std::string PipelineRunner::position_text(core::Position position) const {
  return core::to_string(position, parts_.source->position_form());
}

std::string PipelineRunner::place_text(const flow::Refusal& refusal) const {
  return refusal.letter ? "letter " + std::to_string(*refusal.letter)
                        : position_text(refusal.position);
}

void PipelineRunner::publish(Now now) {
  PipelineSnapshot snapshot;
  snapshot.name = parts_.name;
  snapshot.state = noted_health_.state;
  snapshot.reason = noted_health_.reason;
  snapshot.ticked_at = now.instant;
  snapshot.epoch = parts_.lease(now.instant).epoch;
  fill_counters(snapshot);

  const SourceGauges gauges = parts_.gauges();
  const flow::Window& window = pipeline_->window(core::StreamId{0});
  lag_.observe(
      gauges.heartbeat,
      SettledMarks{window.passed_boundary(), window.settled_seq(), pipeline_->oldest_open_commit()},
      now);
  snapshot.lag = Lag{lag_.seconds(), lag_.events(), gauges.lag_wal_bytes};
  snapshot.slot = SlotSnapshot{gauges.slot_retained_wal_bytes, gauges.safe_wal_size_bytes};
  snapshot.held_back_seconds = gauges.held_back_seconds;
  snapshot.shards = gauges.shards;
  snapshot.retention = gauges.retention;
  snapshot.replays_proposed = gauges.replays_proposed;
  snapshot.reconnects = gauges.reconnects;
  board_.publish(std::move(snapshot));
}

void PipelineRunner::fill_counters(PipelineSnapshot& snapshot) const {
  const flow::PipelineCounters& counters = pipeline_->counters();
  snapshot.taken = counters.taken;
  snapshot.taken_bytes = counters.taken_bytes;
  snapshot.returned = counters.returned;
  snapshot.retried = counters.retried;
  snapshot.saves = counters.saves;
  snapshot.producer_rebuilds = parts_.producer_rebuilds();
  for (size_t route = 0; route < counters.routes.size(); ++route) {
    const flow::RouteCounters& counted = counters.routes[route];
    snapshot.routes.push_back(RouteSnapshot{router_.routes()[route].name, counted.delivered,
                                            counted.dead_lettered, counted.held, counted.parked,
                                            counted.skipped, counted.replayed,
                                            counted.refused_again, counted.commit_to_acknowledged});
  }
  if (const auto& refusal = pipeline_->newest_refusal()) {
    snapshot.newest_refusal = RefusalSnapshot{refusal->cause, place_text(*refusal)};
  }
  snapshot.braked = pipeline_->brake().engaged();
  snapshot.blocked_keys = pipeline_->blocked_keys().size();
  snapshot.window_events = pipeline_->open_cells();
  snapshot.window_events_max = parts_.options.window_cells;
  snapshot.window_bytes = pipeline_->open_bytes();
  snapshot.window_bytes_max = parts_.options.window_bytes;
  const auto& passed = pipeline_->window(core::StreamId{0}).passed_boundary();
  if (passed) snapshot.confirmed = position_text(*passed);
}

void PipelineRunner::note_notices() {
  for (const Notice& notice : parts_.take_notices()) {
    const std::initializer_list<LogField> fields = {{"pipeline", parts_.name},
                                                    {"text", notice.text}};
    if (notice.level == LogLevel::info) {
      log_.info("notice", fields);
    } else {
      log_.warn("notice", fields);
    }
  }
}

}  // namespace outbox::app
