// The sinks that the contract suite is run against.

#include <cstdlib>

#include "connectors/kafka/kafka_sink.h"
#include "tests/conformance/sink/kafka_world.h"
#include "tests/conformance/sink/projection_world.h"
#include "tests/conformance/sink/sink_contract.h"
#include "tests/support/fake_sink.h"
#include "tests/support/manual_clock.h"

namespace outbox::support {
namespace {

class FakeSubject : public SinkSubject {
 public:
  core::Sink& sink() override { return *sink_; }
  void destroy_sink() override {
    for (const FakeSink::Record& record : sink_->log()) landed_.push_back(record.number);
    sink_.reset();
  }
  core::Now rest() override {
    clock_.advance(std::chrono::milliseconds(1));
    return clock_.now();
  }
  std::string usable_name() override { return "topic"; }
  std::string impossible_name() override {
    sink_->topic("no such").state = core::DestinationState::missing;
    return "no such";
  }
  void flaw(EventSpec& spec) override { sink_->poison(spec.number); }
  std::vector<uint64_t> landed() override {
    if (!sink_) return landed_;
    std::vector<uint64_t> numbers;
    for (const FakeSink::Record& record : sink_->log()) numbers.push_back(record.number);
    return numbers;
  }

 private:
  std::unique_ptr<FakeSink> sink_ = std::make_unique<FakeSink>();
  ManualClock clock_;
  std::vector<uint64_t> landed_;
};

class KafkaSubject : public SinkSubject {
 public:
  KafkaSubject() : topic_(make_topic(1, {{"max.message.bytes", "50000"}})) {
    auto kafka = kafka::Kafka::make(client_options());
    if (!kafka) throw std::runtime_error(core::to_string(kafka.error()));
    sink_ = kafka->sink();
  }
  core::Sink& sink() override { return *sink_; }
  void destroy_sink() override { sink_.reset(); }
  core::Now rest() override {
    if (sink_) {
      wait_for({sink_->interest(std::chrono::steady_clock::now())}, std::chrono::milliseconds(5));
    }
    return real_now();
  }
  std::string usable_name() override { return topic_; }
  std::string impossible_name() override { return "no topic has spaces"; }
  void flaw(EventSpec& spec) override { spec.payload = std::string(100'000, 'f'); }
  std::vector<uint64_t> landed() override {
    std::vector<uint64_t> numbers;
    for (const ReadRecord& record : read_topic(topic_)) {
      numbers.push_back(std::strtoull(record.header("type").c_str(), nullptr, 10));
    }
    return numbers;
  }

 private:
  const std::string topic_;
  std::unique_ptr<core::Sink> sink_;
};

}  // namespace

std::vector<SinkKind> sink_kinds() {
  return {
      {"FakeSink", [] { return std::make_unique<FakeSubject>(); }},
      {"KafkaSink", [] { return std::make_unique<KafkaSubject>(); }},
      {"ProjectionSink", [] { return make_projection_subject(Check::at_once); }},
      {"ProjectionSinkCheckedAtCommit", [] { return make_projection_subject(Check::at_commit); }}};
}

}  // namespace outbox::support
