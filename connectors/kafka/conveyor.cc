#include "connectors/kafka/conveyor.h"

#include <algorithm>
#include <utility>

#include "connectors/kafka/refusal.h"
#include "relay/core/assert.h"
#include "relay/core/failpoint.h"

namespace outbox::kafka {
namespace {

using core::Admission;
using core::Instant;
using core::Now;
using core::Outcome;
using std::chrono::milliseconds;

constexpr std::chrono::hours kReseedAfterIdle(1);
/// Requests that failed on the way put their records back into the queue, so taking back is
/// repeated until all are in.
constexpr milliseconds kTakeBackAgain(20);
constexpr milliseconds kFirstPause(20);
constexpr milliseconds kLongestPause(1'000);
constexpr milliseconds kAbsentSuspects(100);

}  // namespace

size_t key_and_value_bytes(const core::Event& event) {
  return (event.aggregate_id ? event.aggregate_id->size() : 0) +
         (event.payload ? event.payload->size() : 0);
}

Conveyor::Conveyor(ConveyorOptions options, TopicTable& facts, std::shared_ptr<Wakeup> wakeup)
    : options_(std::move(options)),
      facts_(facts),
      wakeup_(std::move(wakeup)),
      undertaker_(std::make_unique<Undertaker>(wakeup_)) {}

void Conveyor::add_topic(uint32_t topic, const std::string& name) {
  OUTBOX_ASSERT(topic == topics_.size());
  topics_.emplace_back();
  topics_.back().name = name;
}

void Conveyor::open_topic(uint32_t topic, uint32_t partitions) {
  Topic& opened = topics_[topic];
  opened.known_partitions = partitions;
  wanted_ = true;
  if (producer_) producer_->warm(topic, opened.name);
}

uint32_t Conveyor::partitions(uint32_t number) {
  Topic& topic = topics_[number];
  if (topic.placing_partitions != topic.known_partitions) {
    // A key may move to another partition: what is outside must be settled first.
    if (topic.outside > 0) return 0;
    topic.placing_partitions = topic.known_partitions;
    while (topic.partitions.size() < topic.known_partitions) topic.partitions.emplace_back();
  }
  return topic.placing_partitions;
}

Admission Conveyor::may_send(const Place& place, Now now) {
  if (state_ != State::open) return Admission::full;
  // What its refusal will make of its key must be known before anything of that key goes out.
  if (!refused_unsent_.empty()) return Admission::full;
  // One record may be larger than all of the bound when nothing else is there (invariant 7).
  const size_t bytes = place.bytes + options_.record_cost_bytes;
  if (outside_count_ > 0 && outside_bytes_ + bytes > options_.outside_bytes_max) {
    return Admission::full;
  }
  Partition& partition = partition_of(place.topic, place.partition);
  const bool idle_for_long =
      partition.outside == 0 && now.instant - partition.used_at > kReseedAfterIdle;
  if (partition.seeding == Seeding::seeded && idle_for_long) {
    partition.seeding = Seeding::unseeded;
  }
  if (partition.seeding == Seeding::under_way) return Admission::wait;
  if (!partition.suspects.empty()) return may_send_suspect(partition, place, now);
  return Admission::admitted;
}

Admission Conveyor::may_send_suspect(Partition& partition, const Place& place, Now now) {
  if (partition.suspects.admits(place.ticket)) {
    partition.waited_for_since.reset();
    return Admission::admitted;
  }
  if (partition.outside == 0 && !partition.waited_for_since) {
    partition.waited_for_since = now.instant;
  }
  return Admission::wait;
}

Admission Conveyor::send(const Place& place, Record& record, Now now) {
  producer_->warm(place.topic, topics_[place.topic].name);
  const rd_kafka_resp_err_t error =
      producer_->send(place.topic, place.partition, record, place.ticket);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return refused_to_queue(place, error, now);
  ++outside_count_;
  outside_bytes_ += place.bytes + options_.record_cost_bytes;
  ++topics_[place.topic].outside;
  Partition& partition = partition_of(place.topic, place.partition);
  ++partition.outside;
  if (partition.seeding == Seeding::unseeded) partition.seeding = Seeding::under_way;
  if (!partition.suspects.empty()) partition.suspects.sent(place.ticket);
  return Admission::admitted;
}

void Conveyor::note_topic_trouble(uint32_t topic, rd_kafka_resp_err_t error, Now now) {
  facts_.distrust(topic, error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, now);
}

Admission Conveyor::refuse(core::Ticket ticket, core::Cause cause) {
  core::Completion completion{ticket, Outcome::reject, nullptr};
  completion.cause = std::make_unique<core::Cause>(std::move(cause));
  refused_unsent_.push_back(std::move(completion));
  wakeup_->signal();
  return Admission::admitted;
}

// The client did not even queue it.
Admission Conveyor::refused_to_queue(const Place& place, rd_kafka_resp_err_t error, Now now) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    fence(now);
    return Admission::full;
  }
  switch (meaning_of(error, RD_KAFKA_MSG_STATUS_NOT_PERSISTED)) {
    case Meaning::refused: {
      // Larger than the client's own limit: refused by itself, no other record is touched.
      const Refused refused{place.partition, error, place.bytes, 0};
      return refuse(place.ticket,
                    {error_name(error), describe_refusal(refused, facts_.facts(place.topic))});
    }
    case Meaning::topic_trouble:
      note_topic_trouble(place.topic, error, now);
      producer_->learn_partitions(place.topic);
      return Admission::wait;
    default:
      return Admission::full;
  }
}

void Conveyor::poll(std::vector<core::Completion>& completions, Now now) {
  std::move(refused_unsent_.begin(), refused_unsent_.end(), std::back_inserter(completions));
  refused_unsent_.clear();
  if (producer_) {
    while (const EventHandle event = producer_->next_event()) take(event.get(), completions, now);
  }
  if (partitions_with_suspects_ > 0) forget_absent_suspects(now);
  if (state_ != State::open) go_on(now);
}

void Conveyor::take(rd_kafka_event_t* event, std::vector<core::Completion>& completions, Now now) {
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
      take_reports(event, completions, now);
      return;
    case RD_KAFKA_EVENT_ERROR:
      note_error(event, now);
      return;
    default:
      return;
  }
}

// ---- failures and what follows

void Conveyor::fence(Now now) {
  if (state_ == State::fenced) return;
  state_ = State::fenced;
  rebuild_pause_ = progress_
                       ? core::Duration{}
                       : std::clamp<core::Duration>(rebuild_pause_ * 2, kFirstPause, kLongestPause);
  rebuild_at_ = now.instant + rebuild_pause_;
  take_back_at_ = now.instant + kTakeBackAgain;
  producer_->take_back();
}

void Conveyor::start_over(Now now) {
  if (producer_) fence(now);
}

void Conveyor::go_on(Now now) {
  if (outside_count_ == 0) {
    if (wanted_ && now.instant >= rebuild_at_ && !undertaker_->full()) rebuild(now);
    return;
  }
  if (state_ == State::fenced && now.instant >= take_back_at_) {
    take_back_at_ = now.instant + kTakeBackAgain;
    producer_->take_back();
  }
}

void Conveyor::rebuild(Now now) {
  if (producer_) {
    undertaker_->bury(std::move(producer_));
    ++rebuilds_;
    core::hit_failpoint(core::Failpoint::inside_producer_rebuild);
  }
  auto made = Producer::make(options_.client, settings_, wakeup_);
  if (!made) {
    build_error_ = made.error();
    rebuild_at_ = now.instant + kLongestPause;
    return;
  }
  build_error_.reset();
  producer_ = std::move(*made);
  progress_ = false;
  state_ = State::open;
  for (uint32_t number = 0; number < topics_.size(); ++number) {
    Topic& topic = topics_[number];
    if (topic.placing_partitions > 0) producer_->warm(number, topic.name);
    for (Partition& partition : topic.partitions) {
      partition.seeding = Seeding::unseeded;
      partition.waited_for_since.reset();
      partition.suspects.recall();
    }
  }
  raise_generation();
}

// A suspect may never come again: the Router may have learned to refuse it. Then the others of its
// partition would wait for ever. Forgetting a suspicion is always safe.
void Conveyor::forget_absent_suspects(Now now) {
  for (Topic& topic : topics_) {
    for (Partition& partition : topic.partitions) {
      if (!partition.waited_for_since || partition.outside > 0) continue;
      if (now.instant - *partition.waited_for_since < kAbsentSuspects) continue;
      partition.waited_for_since.reset();
      if (!partition.suspects.empty()) --partitions_with_suspects_;
      partition.suspects.clear();
      raise_generation();
    }
  }
}

void Conveyor::bound_batches(size_t bytes) {
  if (bytes == settings_.batch_bytes_max) return;
  const bool must_shrink = bytes < settings_.batch_bytes_max;
  settings_.batch_bytes_max = bytes;
  if (must_shrink && state_ == State::open) state_ = State::draining;
}

void Conveyor::set_reconnects(Reconnects reconnects) { settings_.reconnects = reconnects; }

Instant Conveyor::wake_at(Instant now) const {
  Instant wake = core::kNever;
  if (partitions_with_suspects_ > 0) wake = now + kAbsentSuspects;
  if (state_ == State::open || !wanted_) return wake;
  if (outside_count_ == 0) return std::min(wake, std::max(rebuild_at_, now + milliseconds(1)));
  return state_ == State::fenced ? std::min(wake, take_back_at_) : wake;
}

}  // namespace outbox::kafka
