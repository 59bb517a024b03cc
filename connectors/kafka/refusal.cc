#include "connectors/kafka/refusal.h"

namespace outbox::kafka {

std::string describe_refusal(const Refused& refused, const TopicFacts& topic) {
  std::string text = rd_kafka_err2str(refused.error);
  text += ": topic \"" + topic.topic + "\", partition " + std::to_string(refused.partition);
  switch (refused.error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
      text += ", key and value " + std::to_string(refused.record_bytes) + " bytes";
      if (topic.settings_read) {
        text += ", max.message.bytes " + std::to_string(topic.record_bytes_max);
      }
      break;
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      text += ", timestamp " + std::to_string(refused.timestamp_ms) + " ms";
      break;
    default:
      break;
  }
  return text;
}

}  // namespace outbox::kafka
