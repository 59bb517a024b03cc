#pragma once
// MockCluster: librdkafka's mock brokers inside the test's process, and what the tests of Kafka
// sinks need around them: events, a loop that waits as the runner does.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connectors/kafka/kafka_sink.h"
#include "tests/support/sink_driver.h"

namespace outbox::kafka {

class MockCluster {
 public:
  explicit MockCluster(int brokers = 1);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  void topic(const std::string& name, int partitions = 1);
  /// The next produce requests are answered so.
  void refuse_produce(const std::vector<rd_kafka_resp_err_t>& errors);
  void topic_error(const std::string& name, rd_kafka_resp_err_t error);
  void answer_after(std::chrono::milliseconds delay);
  void down();
  void up();

  std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  ClientOptions options(Properties properties = {}) const;

 private:
  const int brokers_;
  rd_kafka_t* host_;
  rd_kafka_mock_cluster_t* cluster_;
};

/// Now, moved ahead by what a test wants to have passed.
core::Now now_plus(core::Duration ahead = {});

/// An event of key "k<key>" whose number is also its payload.
support::EventSpec numbered(uint64_t number, const std::string& key);

/// One sink on a mock cluster, with a driver and a topic "t".
class SinkOnMock {
 public:
  explicit SinkOnMock(const MockCluster& cluster, Properties properties = {},
                      size_t outside_bytes_max = kOutsideBytesMax);

  /// Steps until `done`, sleeping in poll(2) between; false after `patience`.
  bool step_until(const std::function<bool()>& done,
                  std::chrono::milliseconds patience = std::chrono::seconds(20));
  bool settle(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    return step_until([this] { return driver->settled(); }, patience);
  }
  /// Steps for that long.
  void step_for(std::chrono::milliseconds time);
  const core::Destination& usable_topic(const std::string& name);
  /// Adds `count` events on `keys` keys.
  void add(size_t count, size_t keys = 1);

  core::Duration ahead{};  // what the sink believes to have passed besides
  std::shared_ptr<TopicWatch> watch;
  std::unique_ptr<KafkaSink> sink;
  std::unique_ptr<support::SinkDriver> driver;
  const core::Destination* topic = nullptr;
};

}  // namespace outbox::kafka
