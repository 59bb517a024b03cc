#include "connectors/kafka/producer.h"

#include <array>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

constexpr size_t kReasonBytes = 512;
constexpr uint64_t kOneSignal = 1;
static_assert(sizeof(void*) == sizeof(uint64_t));  // a ticket rides as the opaque

// The library tells a null key or value from an empty one by the pointer.
void* address_of(std::string_view bytes) {
  return const_cast<char*>(bytes.data() != nullptr ? bytes.data() : "");
}

void set_bytes(rd_kafka_vu_t& argument, std::optional<std::string_view> bytes) {
  argument.u.mem.ptr = bytes ? address_of(*bytes) : nullptr;
  argument.u.mem.size = bytes ? bytes->size() : 0;
}

}  // namespace

core::Result<std::unique_ptr<Producer>> Producer::make(std::shared_ptr<const ClientOptions> options,
                                                       const ProducerSettings& settings,
                                                       std::shared_ptr<Wakeup> wakeup) {
  auto conf = producer_conf(*options, settings);
  if (!conf) return conf.error();
  auto client = make_client(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!client) return client.error();
  return std::make_unique<Producer>(std::move(options), std::move(wakeup), std::move(*client));
}

Producer::Producer(std::shared_ptr<const ClientOptions> options, std::shared_ptr<Wakeup> wakeup,
                   ClientHandle client)
    : options_(std::move(options)),
      wakeup_(std::move(wakeup)),
      client_(std::move(client)),
      queue_(rd_kafka_queue_get_main(client_.get())) {
  rd_kafka_queue_io_event_enable(queue_.get(), wakeup_->fd(), &kOneSignal, sizeof kOneSignal);
  arguments_[kTopic].vtype = RD_KAFKA_VTYPE_RKT;
  arguments_[kPartition].vtype = RD_KAFKA_VTYPE_PARTITION;
  arguments_[kKey].vtype = RD_KAFKA_VTYPE_KEY;
  arguments_[kValue].vtype = RD_KAFKA_VTYPE_VALUE;
  arguments_[kTimestamp].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  arguments_[kOpaque].vtype = RD_KAFKA_VTYPE_OPAQUE;
  arguments_[kFlags].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  arguments_[kHeaders].vtype = RD_KAFKA_VTYPE_HEADERS;
}

Producer::~Producer() {
  // Whoever destroys a producer that still holds records wants them to end, not to be flushed.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  while (next_event() != nullptr) {
  }
}

void Producer::warm(uint32_t topic, const std::string& name) {
  if (topics_.size() <= topic) topics_.resize(topic + 1);
  if (topics_[topic] != nullptr) return;
  rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client_.get());
  rd_kafka_topic_conf_set_opaque(conf, reinterpret_cast<void*>(uintptr_t{topic}));
  topics_[topic].reset(rd_kafka_topic_new(client_.get(), name.c_str(), conf));
  OUTBOX_ASSERT(topics_[topic] != nullptr);
}

// Without patience it only asks: the answer finds its way into the client all the same.
void Producer::learn_partitions(uint32_t topic) {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_metadata(client_.get(), 0, topics_[topic].get(), &metadata, 0);
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
}

rd_kafka_resp_err_t Producer::send(uint32_t topic, uint32_t partition, Record& record,
                                   core::Ticket ticket) {
  arguments_[kTopic].u.rkt = topics_[topic].get();
  arguments_[kPartition].u.i32 = static_cast<int32_t>(partition);
  set_bytes(arguments_[kKey], record.key);
  set_bytes(arguments_[kValue], record.value);
  arguments_[kTimestamp].u.i64 = record.timestamp_ms;
  arguments_[kOpaque].u.ptr = reinterpret_cast<void*>(ticket.pack());
  arguments_[kFlags].u.i = record.value_lifetime == Record::Value::passes ? RD_KAFKA_MSG_F_COPY : 0;
  arguments_[kHeaders].u.headers = record.headers.get();
  rd_kafka_error_t* error = rd_kafka_produceva(client_.get(), arguments_.data(), arguments_.size());
  if (error == nullptr) {
    static_cast<void>(record.headers.release());  // the client owns them now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

core::Ticket Producer::ticket_of(const rd_kafka_message_t& report) {
  return core::Ticket::unpack(reinterpret_cast<uint64_t>(report._private));
}

uint32_t Producer::topic_of(const rd_kafka_message_t& report) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(rd_kafka_topic_opaque(report.rkt)));
}

void Producer::take_back() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

std::optional<std::string> Producer::fatal() const {
  std::array<char, kReasonBytes> reason{};
  if (rd_kafka_fatal_error(client_.get(), reason.data(), reason.size()) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  return std::string(reason.data());
}

void Producer::break_it() {
  rd_kafka_test_fatal_error(client_.get(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "broken by a test");
}

}  // namespace outbox::kafka
