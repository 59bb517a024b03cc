#include "tests/bench/latency/record_sender.h"

#include <stdexcept>

#include "tests/bench/latency/kafka_config.h"

namespace outbox::bench {
namespace {

constexpr int kFlushPatience_ms = 10'000;

}  // namespace

RecordSender::RecordSender(const std::string& bootstrap, const std::string& topic)
    : producer_(make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", bootstrap},
                                                {"acks", "all"},
                                                {"enable.idempotence", "true"},
                                                {"linger.ms", "0"},
                                                {"socket.nagle.disable", "true"},
                                                {"partitioner", "murmur2_random"}})),
      topic_(rd_kafka_topic_new(producer_.get(), topic.c_str(), nullptr)) {}

RecordSender::~RecordSender() { rd_kafka_flush(producer_.get(), kFlushPatience_ms); }

Clock::time_point RecordSender::send(size_t event) {
  const std::string key = std::to_string(event);
  std::string payload = payload_of(event);
  const Clock::time_point begun = Clock::now();
  if (rd_kafka_produce(topic_.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payload.data(),
                       payload.size(), key.data(), key.size(), nullptr) != 0) {
    throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
  }
  rd_kafka_poll(producer_.get(), 0);
  return begun;
}

}  // namespace outbox::bench
