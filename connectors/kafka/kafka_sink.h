#pragma once
// KafkaSink: delivers events to Kafka topics, in the order of each key (core::Ordering::fail_stop).
// How: conveyor.h. What a record looks like: README.md and CONTRACT.
//
// Thread: the pipeline's. Lifetime: destroying it ends what is outside without a completion and
// waits for the client library's threads, since they still read the events' bytes.

#include <memory>
#include <string_view>
#include <vector>

#include "connectors/kafka/conveyor.h"
#include "connectors/kafka/format/formats.h"
#include "connectors/kafka/reachability.h"
#include "connectors/kafka/record_headers.h"
#include "connectors/kafka/topic_table.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

/// Records outside weigh at most this, with what the client library adds to each (about 1 kB).
inline constexpr size_t kOutsideBytesMax = 32 * 1024 * 1024;

class KafkaSink : public core::Sink {
 public:
  KafkaSink(std::shared_ptr<const ClientOptions> client, std::shared_ptr<TopicWatch> watch,
            size_t outside_bytes_max = kOutsideBytesMax,
            const std::vector<RouteFormat>& formats = {});

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  bool look_again(const core::Destination& destination) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return conveyor_.wait_generation(); }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  /// Producers replaced so far.
  uint64_t rebuilds() const { return conveyor_.rebuilds(); }
  Conveyor& conveyor() { return conveyor_; }

 private:
  void topic_changed(uint32_t id);
  core::Admission submit_formatted(const core::Delivery& delivery, uint32_t partitions,
                                   core::Now now);
  core::Admission send_formatted(const core::Delivery& delivery, const Place& place, core::Now now);

  const std::shared_ptr<const ClientOptions> client_;
  const std::shared_ptr<Wakeup> wakeup_;
  TopicTable topics_;
  HeadersWriter headers_;
  Formats formats_;
  FormattedRecord formatted_;  // reused
  Reachability reachability_;
  Conveyor conveyor_;
};

}  // namespace outbox::kafka
