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
                     size_t outside_bytes_max, const std::vector<RouteFormat>& formats)
    : client_(std::move(client)),
      wakeup_(std::make_shared<Wakeup>()),
      topics_(TopicTable::Options{std::move(watch), wakeup_, compressed(*client_), client_->log}),
      formats_(formats),
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

bool KafkaSink::look_again(const core::Destination& destination) {
  return topics_.recheck(destination.id);
}

Admission KafkaSink::submit(const Delivery& delivery, Now now) {
  OUTBOX_ASSERT(delivery.purpose == core::Purpose::deliver && delivery.destination != nullptr);
  const core::Destination& destination = *delivery.destination;
  if (destination.state != DestinationState::usable) return Admission::wait;
  const uint32_t partitions = conveyor_.partitions(destination.id);
  if (partitions == 0) return Admission::wait;
  if (!formats_.plain(delivery.route)) [[unlikely]] {
    return submit_formatted(delivery, partitions, now);
  }
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

Admission KafkaSink::submit_formatted(const Delivery& delivery, uint32_t partitions, Now now) {
  const core::Event& event = *delivery.event;
  auto refusal = formats_.address(delivery.route, event, formatted_);
  if (!refusal && formatted_.partition && *formatted_.partition >= partitions) {
    refusal = core::Cause{"NO_SUCH_PARTITION", "topic \"" + delivery.destination->name + "\" has " +
                                                   std::to_string(partitions) +
                                                   " partitions, the event asks for number " +
                                                   std::to_string(*formatted_.partition)};
  }
  if (refusal) return conveyor_.refuse(delivery.ticket, std::move(*refusal));
  const uint32_t partition =
      formatted_.partition
          ? static_cast<uint32_t>(*formatted_.partition)
          : (formatted_.key ? partition_of_key(*formatted_.key, partitions)
                            : partition_of_ticket(delivery.ticket.index, partitions));
  const Place place{delivery.ticket, delivery.destination->id, partition,
                    key_and_value_bytes(event)};
  // Whether there is room is asked before the value is made: that may be costly, and in vain.
  const Admission answer = conveyor_.may_send(place, now);
  return answer == Admission::admitted ? send_formatted(delivery, place, now) : answer;
}

Admission KafkaSink::send_formatted(const Delivery& delivery, const Place& place, Now now) {
  const core::Event& event = *delivery.event;
  const FormatContext context{delivery.position_form, delivery.epoch};
  if (auto refusal = formats_.write(delivery.route, event, context, formatted_)) {
    return conveyor_.refuse(delivery.ticket, std::move(*refusal));
  }
  const size_t bytes = (formatted_.key ? formatted_.key->size() : 0) +
                       (formatted_.value ? formatted_.value->size() : 0);
  const size_t bytes_max = delivery.destination->record_bytes_max;
  if (bytes_max != 0 && bytes > bytes_max) {
    return conveyor_.refuse(
        delivery.ticket,
        {"MSG_SIZE_TOO_LARGE", "key and value have " + std::to_string(bytes) + " bytes, topic \"" +
                                   delivery.destination->name + "\" takes " +
                                   std::to_string(bytes_max) + " (max.message.bytes)"});
  }
  HeadersHandle headers(rd_kafka_headers_new(formatted_.headers.size()));
  for (const core::Header& header : formatted_.headers) {
    add_header(headers.get(), header.name, header.value);
  }
  Record record{formatted_.key, formatted_.value, std::move(headers), formatted_.timestamp_ms};
  const bool of_event =
      formatted_.value && event.payload && formatted_.value->data() == event.payload->data();
  record.value_lifetime = of_event ? Record::Value::stays : Record::Value::passes;
  return conveyor_.send(Place{place.ticket, place.topic, place.partition, bytes}, record, now);
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
