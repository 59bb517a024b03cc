#pragma once
// The sentence that a dead letter or a retry carries as its cause: what was refused, by which
// topic, with the numbers.

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <string>

#include "connectors/kafka/admin.h"

namespace outbox::kafka {

/// What is known of the record besides the error.
struct Refused {
  uint32_t partition = 0;
  rd_kafka_resp_err_t error{};
  size_t record_bytes = 0;
  int64_t timestamp_ms = 0;
};

std::string describe_refusal(const Refused& refused, const TopicFacts& topic);

}  // namespace outbox::kafka
