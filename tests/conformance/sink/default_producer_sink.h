#pragma once
// DefaultProducerSink: how a Kafka sink is usually written, and the planted bug of the refusal
// test: an idempotent producer with default settings, no fence, no seeding. What a refused batch
// failed is sent again, one record at a time, while the records behind it have landed already.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/handles.h"
#include "relay/core/sink.h"

namespace outbox::support {

class DefaultProducerSink : public core::Sink {
 public:
  DefaultProducerSink(const std::string& bootstrap_servers, uint32_t partitions);

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return generation_; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  const uint32_t partitions_;
  kafka::ClientHandle client_;
  kafka::QueueHandle queue_;
  std::deque<core::Destination> destinations_;
  std::set<uint64_t> failed_;  // packed tickets, to be sent again by themselves
  size_t outside_ = 0;
  uint64_t generation_ = 1;
};

}  // namespace outbox::support
