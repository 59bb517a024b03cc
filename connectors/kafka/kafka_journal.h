#pragma once
// KafkaJournal: keeps dead letters in Kafka topics (core::Purpose::dead_letter). The same Conveyor
// as the sink, with a producer of its own, so that a full or fenced sink never stands in the way.
//
// A dead letter is the original record: key, value and headers verbatim, plus headers that say why
// (error_headers.h). Its timestamp is now, since the original's may be what was refused; the
// original's is in a header.
//
// A topic that must be made or mended by a person completes the letter as `fatal` with the command
// to type, so the pipeline stops before its position is confirmed (invariant 1).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/conveyor.h"
#include "connectors/kafka/reachability.h"
#include "connectors/kafka/record_headers.h"
#include "connectors/kafka/topic_table.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

class KafkaJournal : public core::Sink {
 public:
  KafkaJournal(std::shared_ptr<const ClientOptions> client, std::shared_ptr<TopicWatch> watch,
               std::string pipeline);

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return conveyor_.wait_generation(); }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

 private:
  core::Destination& topic_for(const core::Delivery& delivery);
  HeadersHandle headers_of(const core::Delivery& delivery, core::Now now);
  core::Admission give_up(const core::Delivery& delivery, uint32_t topic);

  const std::shared_ptr<const ClientOptions> client_;
  const std::string pipeline_;
  const std::shared_ptr<Wakeup> wakeup_;
  TopicTable topics_;
  HeadersWriter headers_;
  Reachability reachability_;
  std::vector<core::Completion> given_up_;
  Conveyor conveyor_;
};

}  // namespace outbox::kafka
