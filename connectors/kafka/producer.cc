#include "connectors/kafka/producer.h"

#include <array>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

constexpr size_t kReasonBytes = 512;
constexpr uint64_t kOneSignal = 1;

// The library tells a null key or value from an empty one by the pointer.
void* address_of(std::string_view bytes) {
  return const_cast<char*>(bytes.data() != nullptr ? bytes.data() : "");
}

rd_kafka_vu_t memory(rd_kafka_vtype_t type, std::optional<std::string_view> bytes) {
  rd_kafka_vu_t argument{};
  argument.vtype = type;
  argument.u.mem.ptr = bytes ? address_of(*bytes) : nullptr;
  argument.u.mem.size = bytes ? bytes->size() : 0;
  return argument;
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
  topics_[topic].reset(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
  OUTBOX_ASSERT(topics_[topic] != nullptr);
}

rd_kafka_resp_err_t Producer::send(uint32_t topic, uint32_t partition, Record& record,
                                   void* opaque) {
  std::array<rd_kafka_vu_t, 7> arguments{};
  arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
  arguments[0].u.rkt = topics_[topic].get();
  arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  arguments[1].u.i32 = static_cast<int32_t>(partition);
  arguments[2] = memory(RD_KAFKA_VTYPE_KEY, record.key);
  arguments[3] = memory(RD_KAFKA_VTYPE_VALUE, record.value);
  arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  arguments[4].u.i64 = record.timestamp_ms;
  arguments[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  arguments[5].u.ptr = opaque;
  arguments[6].vtype = RD_KAFKA_VTYPE_HEADERS;
  arguments[6].u.headers = record.headers.get();
  rd_kafka_error_t* error = rd_kafka_produceva(client_.get(), arguments.data(), arguments.size());
  if (error == nullptr) {
    static_cast<void>(record.headers.release());  // the client owns them now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
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
