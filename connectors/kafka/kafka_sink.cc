#include "connectors/kafka/kafka_sink.h"

#include <algorithm>
#include <utility>

#include "connectors/kafka/partitioner.h"
#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

using core::Admission;
using core::Delivery;
using core::DestinationState;
using core::Now;

constexpr size_t kBatchBytesMax = 1'000'000;
// What the client library allocates per record beside key and value, with headers as usual. Many
// headers are bounded by the window, which counts them.
constexpr size_t kRecordCostBytes = 1'000;
constexpr int64_t kUsPerMs = 1'000;

bool compressed(const ClientOptions& options) {
  for (const char* name : {"compression.type", "compression.codec"}) {
    const auto found = options.properties.find(name);
    if (found != options.properties.end() && found->second != "none") return true;
  }
  return false;
}

}  // namespace

KafkaSink::KafkaSink(std::shared_ptr<const ClientOptions> client, std::shared_ptr<TopicWatch> watch,
                     size_t outside_bytes_max)
    : client_(std::move(client)),
      wakeup_(std::make_shared<Wakeup>()),
      topics_(TopicTable::Options{std::move(watch), wakeup_, compressed(*client_), client_->log}),
      conveyor_(ConveyorOptions{client_, outside_bytes_max, kRecordCostBytes}, topics_, wakeup_) {
  conveyor_.warm_up();
}

const core::Destination& KafkaSink::destination(std::string_view name) {
  const core::Destination& destination = topics_.destination(name);
  if (conveyor_.topic_count() == destination.id) {
    conveyor_.add_topic(destination.id, destination.name);
  }
  return destination;
}

Admission KafkaSink::submit(const Delivery& delivery, Now now) {
  OUTBOX_ASSERT(delivery.purpose == core::Purpose::deliver && delivery.destination != nullptr);
  const core::Destination& destination = *delivery.destination;
  if (destination.state != DestinationState::usable) return Admission::wait;
  const uint32_t partitions = conveyor_.partitions(destination.id);
  if (partitions == 0) return Admission::wait;
  const core::Event& event = *delivery.event;
  const uint32_t partition = event.aggregate_id
                                 ? partition_of_key(*event.aggregate_id, partitions)
                                 : partition_of_ticket(delivery.ticket.index, partitions);
  const Place place{delivery.ticket, destination.id, partition, key_and_value_bytes(event)};
  const Admission answer = conveyor_.may_send(place, now);
  if (answer != Admission::admitted) return answer;
  Record record{event.aggregate_id, event.payload,
                headers_.write(event, delivery.position_form, delivery.epoch),
                event.commit_time.us / kUsPerMs};
  return conveyor_.send(place, record, now);
}

void KafkaSink::poll(std::vector<core::Completion>& completions, Now now) {
  wakeup_->drain();
  topics_.poll(now, [this](uint32_t id) { topic_changed(id); });
  conveyor_.poll(completions, now);
  reachability_.poll(conveyor_, topics_, now);
}

void KafkaSink::topic_changed(uint32_t id) {
  const core::Destination& destination = topics_.at(id);
  if (destination.state == DestinationState::usable) {
    conveyor_.open_topic(id, topics_.facts(id).partitions);
  }
  const size_t smallest = topics_.smallest_record_bytes_max().value_or(kBatchBytesMax);
  conveyor_.bound_batches(std::min(smallest, kBatchBytesMax));
  conveyor_.raise_generation();
}

core::Interest KafkaSink::interest(core::Instant now) const {
  core::Interest interest;
  interest.fd = wakeup_->fd();
  interest.wake_at = std::min(conveyor_.wake_at(now), reachability_.wake_at(conveyor_, now));
  return interest;
}

core::Health KafkaSink::health() const { return reachability_.health(conveyor_, topics_); }

}  // namespace outbox::kafka
