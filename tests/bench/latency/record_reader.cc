#include "tests/bench/latency/record_reader.h"

#include <charconv>
#include <stdexcept>

#include "tests/bench/latency/kafka_config.h"

namespace outbox::bench {
namespace {

constexpr int kPatience_ms = 10'000;
constexpr int kPoll_ms = 100;

void expect(rd_kafka_resp_err_t error) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error(rd_kafka_err2str(error));
  }
}

/// The offset behind a partition's last record. A topic made a moment ago may have no leader yet.
int64_t end_of(rd_kafka_t* consumer, const std::string& topic, int partition) {
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(kPatience_ms);
  while (true) {
    int64_t low = 0;
    int64_t end = 0;
    const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        consumer, topic.c_str(), partition, &low, &end, kPatience_ms);
    if (error != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || Clock::now() > deadline) {
      expect(error);
      return end;
    }
  }
}

}  // namespace

RecordReader::RecordReader(const std::string& bootstrap, const std::string& topic)
    : consumer_(make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap},
                                                {"group.id", "bench_latency"},
                                                {"enable.auto.commit", "false"},
                                                {"fetch.wait.max.ms", "1"},
                                                {"fetch.min.bytes", "1"},
                                                {"socket.nagle.disable", "true"}})) {
  rd_kafka_poll_set_consumer(consumer_.get());
  assign_from_end(topic);
}

RecordReader::~RecordReader() { rd_kafka_consumer_close(consumer_.get()); }

int RecordReader::partitions_of(const std::string& topic) const {
  const std::unique_ptr<rd_kafka_topic_t, Closer> handle(
      rd_kafka_topic_new(consumer_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* found = nullptr;
  expect(rd_kafka_metadata(consumer_.get(), 0, handle.get(), &found, kPatience_ms));
  const std::unique_ptr<const rd_kafka_metadata_t, Closer> metadata(found);
  if (metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt == 0) {
    throw std::runtime_error("no topic " + topic);
  }
  return metadata->topics[0].partition_cnt;
}

void RecordReader::assign_from_end(const std::string& topic) {
  const int partitions = partitions_of(topic);
  const std::unique_ptr<rd_kafka_topic_partition_list_t, Closer> list(
      rd_kafka_topic_partition_list_new(partitions));
  for (int partition = 0; partition < partitions; ++partition) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        end_of(consumer_.get(), topic, partition);
  }
  expect(rd_kafka_assign(consumer_.get(), list.get()));
}

void RecordReader::read(Timeline& timeline, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::unique_ptr<rd_kafka_message_t, Closer> message(
        rd_kafka_consumer_poll(consumer_.get(), kPoll_ms));
    const Clock::time_point now = Clock::now();
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      continue;
    }
    const char* key = static_cast<const char*>(message->key);
    size_t event = 0;
    if (std::from_chars(key, key + message->key_len, event).ec == std::errc{}) {
      timeline.arrived(event, now);
    }
  }
}

}  // namespace outbox::bench
