#include "tests/unit/kafka/mock_cluster.h"

#include <time.h>

#include <algorithm>
#include <stdexcept>

namespace outbox::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int16_t kProduceRequest = 0;

}  // namespace

MockCluster::MockCluster(int brokers) : brokers_(brokers) {
  std::vector<char> reason(512);
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", reason.data(), reason.size());
  host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (host_ == nullptr) throw std::runtime_error(reason.data());
  cluster_ = rd_kafka_mock_cluster_new(host_, brokers);
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(host_);
}

void MockCluster::topic(const std::string& name, int partitions) {
  rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1);
}

void MockCluster::refuse_produce(const std::vector<rd_kafka_resp_err_t>& errors) {
  rd_kafka_mock_push_request_errors_array(cluster_, kProduceRequest, errors.size(), errors.data());
}

void MockCluster::topic_error(const std::string& name, rd_kafka_resp_err_t error) {
  rd_kafka_mock_topic_set_error(cluster_, name.c_str(), error);
}

void MockCluster::answer_after(milliseconds delay) {
  for (int broker = 1; broker <= brokers_; ++broker) {
    rd_kafka_mock_broker_set_rtt(cluster_, broker, static_cast<int>(delay.count()));
  }
}

void MockCluster::down() {
  for (int broker = 1; broker <= brokers_; ++broker) {
    rd_kafka_mock_broker_set_down(cluster_, broker);
  }
}

void MockCluster::up() {
  for (int broker = 1; broker <= brokers_; ++broker) {
    rd_kafka_mock_broker_set_up(cluster_, broker);
  }
}

ClientOptions MockCluster::options(Properties properties) const {
  ClientOptions options;
  options.bootstrap_servers = bootstrap();
  options.properties = std::move(properties);
  return options;
}

core::Now now_plus(core::Duration ahead) {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return {steady_clock::now() + ahead,
          core::WallTime{int64_t{wall.tv_sec} * 1'000'000 + wall.tv_nsec / 1'000}};
}

support::EventSpec numbered(uint64_t number, const std::string& key) {
  support::EventSpec spec;
  spec.number = number;
  spec.key = key;
  spec.payload = std::to_string(number);
  spec.commit_time = now_plus().wall;
  spec.position = core::Position{number + 1, 1};
  return spec;
}

SinkOnMock::SinkOnMock(const MockCluster& cluster, Properties properties,
                       size_t outside_bytes_max) {
  auto options = std::make_shared<const ClientOptions>(cluster.options(std::move(properties)));
  watch = std::make_shared<TopicWatch>(options);
  sink = std::make_unique<KafkaSink>(options, watch, outside_bytes_max);
  driver = std::make_unique<support::SinkDriver>(*sink);
  topic = &usable_topic("t");
}

const core::Destination& SinkOnMock::usable_topic(const std::string& name) {
  const core::Destination& destination = sink->destination(name);
  step_until([&] { return destination.state == core::DestinationState::usable; });
  return destination;
}

bool SinkOnMock::step_until(const std::function<bool()>& done, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (!done()) {
    if (steady_clock::now() > deadline) return false;
    if (driver->step(now_plus(ahead))) continue;
    const core::Interest interest = sink->interest(steady_clock::now());
    auto sleep = milliseconds(5);
    if (interest.wake_at != core::kNever) {
      sleep = std::clamp(std::chrono::ceil<milliseconds>(interest.wake_at - steady_clock::now()),
                         milliseconds(0), sleep);
    }
    pollfd fd{interest.fd, POLLIN, 0};
    poll(&fd, 1, static_cast<int>(sleep.count()));
  }
  return true;
}

void SinkOnMock::step_for(milliseconds time) {
  step_until([] { return false; }, time);
}

void SinkOnMock::add(size_t count, size_t keys) {
  for (size_t i = 0; i < count; ++i) {
    const size_t number = driver->size();
    driver->add(numbered(number, "k" + std::to_string(number % keys)), topic);
  }
}

}  // namespace outbox::kafka
