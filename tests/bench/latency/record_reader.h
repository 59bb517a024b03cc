#pragma once
// RecordReader: the independent consumer. Reads a topic from its present end on and notes when each
// record's key, the number of its event, arrived.
//
// Built by one thread, then used by one other.

#include <librdkafka/rdkafka.h>

#include <memory>
#include <stop_token>
#include <string>

#include "tests/bench/latency/timeline.h"

namespace outbox::bench {

class RecordReader {
 public:
  /// When this returns, no later record can be missed.
  RecordReader(const std::string& bootstrap, const std::string& topic);
  ~RecordReader();
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  /// Until stopped.
  void read(Timeline& timeline, const std::stop_token& stop);

 private:
  struct Closer {
    void operator()(rd_kafka_t* consumer) const { rd_kafka_destroy(consumer); }
    void operator()(rd_kafka_topic_partition_list_t* list) const {
      rd_kafka_topic_partition_list_destroy(list);
    }
    void operator()(const rd_kafka_metadata_t* metadata) const {
      rd_kafka_metadata_destroy(metadata);
    }
    void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
    void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  };

  int partitions_of(const std::string& topic) const;
  void assign_from_end(const std::string& topic);

  std::unique_ptr<rd_kafka_t, Closer> consumer_;
};

}  // namespace outbox::bench
