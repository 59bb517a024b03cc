#pragma once
// RecordSender: hands a record straight to a Kafka producer. The latency counts from before the
// call, so it is what the client, the broker and the reader take together: the floor under every
// relay on this machine.

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "tests/bench/latency/sender.h"

namespace outbox::bench {

class RecordSender final : public Sender {
 public:
  RecordSender(const std::string& bootstrap, const std::string& topic);
  ~RecordSender() override;

  Clock::time_point send(size_t event) override;

 private:
  struct Closer {
    void operator()(rd_kafka_t* producer) const { rd_kafka_destroy(producer); }
    void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  };

  std::unique_ptr<rd_kafka_t, Closer> producer_;
  std::unique_ptr<rd_kafka_topic_t, Closer> topic_;
};

}  // namespace outbox::bench
