#include "connectors/kafka/kafka_journal.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "connectors/kafka/dead_letter_topics.h"
#include "connectors/kafka/error_headers.h"
#include "connectors/kafka/partitioner.h"
#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

using core::Admission;
using core::Delivery;
using core::DestinationState;
using core::Now;

constexpr size_t kLetterCostBytes = 2'000;
constexpr size_t kOutsideLettersBytesMax = 8 * 1024 * 1024;
constexpr int64_t kUsPerMs = 1'000;

}  // namespace

KafkaJournal::KafkaJournal(std::shared_ptr<const ClientOptions> client,
                           std::shared_ptr<TopicWatch> watch, std::string pipeline)
    : client_(std::move(client)),
      pipeline_(std::move(pipeline)),
      wakeup_(std::make_shared<Wakeup>()),
      topics_(TopicTable::Options{std::move(watch), wakeup_, false, client_->log}),
      conveyor_(ConveyorOptions{client_, kOutsideLettersBytesMax, kLetterCostBytes}, topics_,
                wakeup_) {}

const core::Destination& KafkaJournal::destination(std::string_view name) {
  core::Destination& destination = topics_.destination(name, make_dead_letter_topic());
  if (conveyor_.topic_count() == destination.id) {
    conveyor_.add_topic(destination.id, destination.name);
  }
  return destination;
}

core::Destination& KafkaJournal::topic_for(const Delivery& delivery) {
  return topics_.at(destination(dead_letter_topic(delivery.destination, pipeline_)).id);
}

Admission KafkaJournal::submit(const Delivery& delivery, Now now) {
  OUTBOX_ASSERT(delivery.purpose == core::Purpose::dead_letter && delivery.cause != nullptr);
  const core::Destination& topic = topic_for(delivery);
  switch (topic.state) {
    case DestinationState::unknown:
      return Admission::wait;
    case DestinationState::missing:
    case DestinationState::denied:
      return give_up(delivery, topic.id);
    case DestinationState::usable:
      break;
  }
  if (dead_letter_fault(topics_.facts(topic.id), client_->bootstrap_servers)) {
    return give_up(delivery, topic.id);
  }
  conveyor_.open_topic(topic.id, topics_.facts(topic.id).partitions);
  const uint32_t partitions = conveyor_.partitions(topic.id);
  if (partitions == 0) return Admission::wait;
  const core::Event& event = *delivery.event;
  const uint32_t partition = event.aggregate_id
                                 ? partition_of_key(*event.aggregate_id, partitions)
                                 : partition_of_ticket(delivery.ticket.index, partitions);
  const Place place{delivery.ticket, topic.id, partition, key_and_value_bytes(event)};
  const Admission answer = conveyor_.may_send(place, now);
  if (answer != Admission::admitted) return answer;
  Record record{event.aggregate_id, event.payload, headers_of(delivery, now),
                now.wall.us / kUsPerMs};
  return conveyor_.send(place, record, now);
}

HeadersHandle KafkaJournal::headers_of(const Delivery& delivery, Now now) {
  const core::Event& event = *delivery.event;
  HeadersHandle headers =
      headers_.write(event, delivery.position_form, delivery.epoch, kErrorHeaders);
  LetterFacts facts;
  facts.cause = delivery.cause;
  if (delivery.destination != nullptr) facts.topic = delivery.destination->name;
  facts.pipeline = pipeline_;
  facts.attempts = delivery.attempts;
  facts.time_ms = now.wall.us / kUsPerMs;
  facts.record_time_ms = event.commit_time.us / kUsPerMs;
  add_error_headers(headers.get(), facts);
  return headers;
}

// Waiting would not help: a person must make or mend the topic.
Admission KafkaJournal::give_up(const Delivery& delivery, uint32_t topic) {
  TopicFacts facts = topics_.facts(topic);
  facts.topic = topics_.at(topic).name;
  if (topics_.at(topic).state == DestinationState::denied) facts.answer = TopicAnswer::denied;
  if (topics_.at(topic).state == DestinationState::missing) facts.answer = TopicAnswer::missing;
  const auto fault = dead_letter_fault(facts, client_->bootstrap_servers);
  OUTBOX_ASSERT(fault.has_value());
  core::Completion completion{delivery.ticket, core::Outcome::fatal, nullptr};
  completion.cause =
      std::make_unique<core::Cause>(core::Cause{fault->code, core::to_string(*fault)});
  given_up_.push_back(std::move(completion));
  wakeup_->signal();
  return Admission::admitted;
}

void KafkaJournal::poll(std::vector<core::Completion>& completions, Now now) {
  wakeup_->drain();
  std::move(given_up_.begin(), given_up_.end(), std::back_inserter(completions));
  given_up_.clear();
  topics_.poll(now, [this](uint32_t) { conveyor_.raise_generation(); });
  conveyor_.poll(completions, now);
  reachability_.poll(conveyor_, topics_, now);
}

core::Interest KafkaJournal::interest(core::Instant now) const {
  core::Interest interest;
  interest.fd = wakeup_->fd();
  interest.wake_at = std::min(conveyor_.wake_at(now), reachability_.wake_at(conveyor_, now));
  return interest;
}

core::Health KafkaJournal::health() const { return reachability_.health(conveyor_, topics_); }

}  // namespace outbox::kafka
