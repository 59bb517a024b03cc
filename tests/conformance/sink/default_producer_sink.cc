#include "tests/conformance/sink/default_producer_sink.h"

#include <stdexcept>

#include "connectors/kafka/kafka_outcome.h"
#include "connectors/kafka/partitioner.h"

namespace outbox::support {

using core::Admission;
using core::Outcome;
using core::Ticket;

DefaultProducerSink::DefaultProducerSink(const std::string& bootstrap_servers, uint32_t partitions)
    : partitions_(partitions) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::vector<char> reason(512);
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"bootstrap.servers", bootstrap_servers},
                                          {"enable.idempotence", "true"},
                                          {"linger.ms", "0.5"},
                                          {"batch.size", "90000"},
                                          {"queue.buffering.max.messages", "1000000"}}) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
        RD_KAFKA_CONF_OK) {
      throw std::runtime_error(reason.data());
    }
  }
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
  client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
  queue_.reset(rd_kafka_queue_get_main(client_.get()));
}

const core::Destination& DefaultProducerSink::destination(std::string_view name) {
  for (const core::Destination& known : destinations_) {
    if (known.name == name) return known;
  }
  core::Destination& made = destinations_.emplace_back();
  made.name = name;
  made.id = static_cast<uint32_t>(destinations_.size() - 1);
  made.state = core::DestinationState::usable;
  return made;
}

Admission DefaultProducerSink::submit(const core::Delivery& delivery, core::Now) {
  const uint64_t ticket = delivery.ticket.pack();
  if (!failed_.empty() && (!failed_.contains(ticket) || outside_ > 0)) return Admission::wait;
  const core::Event& event = *delivery.event;
  const auto partition =
      static_cast<int32_t>(kafka::partition_of_key(*event.aggregate_id, partitions_));
  // The ticket is its own opaque; one is added since null stands for "none".
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      client_.get(), RD_KAFKA_VTYPE_TOPIC, delivery.destination->name.c_str(),
      RD_KAFKA_VTYPE_PARTITION, partition, RD_KAFKA_VTYPE_KEY, event.aggregate_id->data(),
      event.aggregate_id->size(), RD_KAFKA_VTYPE_VALUE, event.payload->data(),
      event.payload->size(), RD_KAFKA_VTYPE_TIMESTAMP, event.commit_time.us / 1'000,
      RD_KAFKA_VTYPE_OPAQUE, reinterpret_cast<void*>(ticket + 1), RD_KAFKA_VTYPE_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Admission::full;
  ++outside_;
  return Admission::admitted;
}

void DefaultProducerSink::poll(std::vector<core::Completion>& completions, core::Now) {
  while (const kafka::EventHandle event{rd_kafka_queue_poll(queue_.get(), 0)}) {
    const size_t count = rd_kafka_event_message_count(event.get());
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get())) {
      const uint64_t ticket = reinterpret_cast<uint64_t>(message->_private) - 1;
      --outside_;
      Outcome outcome = Outcome::durable;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = count == 1 ? Outcome::reject : Outcome::returned;
      }
      if (outcome == Outcome::returned) {
        failed_.insert(ticket);
      } else {
        failed_.erase(ticket);
      }
      core::Completion completion{Ticket::unpack(ticket), outcome, nullptr};
      if (outcome == Outcome::reject) {
        completion.cause = std::make_unique<core::Cause>(
            core::Cause{kafka::error_name(message->err), "refused by itself"});
      }
      completions.push_back(std::move(completion));
    }
    ++generation_;
  }
}

core::Interest DefaultProducerSink::interest(core::Instant now) const {
  core::Interest interest;
  interest.wake_at = now + std::chrono::milliseconds(1);
  return interest;
}

}  // namespace outbox::support
