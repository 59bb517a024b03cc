#include "connectors/kafka/error_headers.h"

#include <array>
#include <string>
#include <utility>

#include "connectors/kafka/record_headers.h"

namespace outbox::kafka {
namespace {

using std::string_view;

constexpr std::array<std::pair<string_view, string_view>, 10> kExceptions = {{
    {"MSG_SIZE_TOO_LARGE", "org.apache.kafka.common.errors.RecordTooLargeException"},
    {"RECORD_LIST_TOO_LARGE", "org.apache.kafka.common.errors.RecordBatchTooLargeException"},
    {"INVALID_MSG", "org.apache.kafka.common.errors.CorruptRecordException"},
    {"INVALID_RECORD", "org.apache.kafka.common.InvalidRecordException"},
    {"KEY_REQUIRED", "org.apache.kafka.common.InvalidRecordException"},
    {"INVALID_TIMESTAMP", "org.apache.kafka.common.errors.InvalidTimestampException"},
    {"POLICY_VIOLATION", "org.apache.kafka.common.errors.PolicyViolationException"},
    {"UNKNOWN_TOPIC", "org.apache.kafka.common.errors.UnknownTopicOrPartitionException"},
    {"ILLEGAL_TOPIC", "org.apache.kafka.common.errors.InvalidTopicException"},
    {"TOPIC_AUTHORIZATION_FAILED", "org.apache.kafka.common.errors.TopicAuthorizationException"},
}};

template <typename Number>
std::array<char, sizeof(Number)> big_endian(Number number) {
  std::array<char, sizeof(Number)> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t shift = 8 * (bytes.size() - 1 - i);
    bytes[i] = static_cast<char>(static_cast<uint64_t>(number) >> shift);
  }
  return bytes;
}

template <typename Number>
void add_number(rd_kafka_headers_t* headers, string_view name, Number number) {
  const auto bytes = big_endian(number);
  add_header(headers, name, string_view(bytes.data(), bytes.size()));
}

void add_own(rd_kafka_headers_t* headers, const LetterFacts& facts) {
  add_header(headers, kErrorCode, facts.cause->code);
  add_header(headers, kErrorDetail, facts.cause->detail);
  if (!facts.topic.empty()) add_header(headers, kErrorTopic, facts.topic);
  add_header(headers, kErrorPipeline, facts.pipeline);
  add_header(headers, kErrorAttempts, std::to_string(facts.attempts));
  add_header(headers, kErrorTime, std::to_string(facts.time_ms));
  add_header(headers, kErrorRecordTime, std::to_string(facts.record_time_ms));
}

void add_of_connect(rd_kafka_headers_t* headers, const LetterFacts& facts) {
  add_header(headers, "__connect.errors.topic", facts.topic);
  add_header(headers, "__connect.errors.partition", "-1");
  add_header(headers, "__connect.errors.offset", "-1");
  add_header(headers, "__connect.errors.connector.name", facts.pipeline);
  add_header(headers, "__connect.errors.task.id", "0");
  add_header(headers, "__connect.errors.stage", "KAFKA_PRODUCE");
  add_header(headers, "__connect.errors.exception.class.name", exception_of(facts.cause->code));
  add_header(headers, "__connect.errors.exception.message", facts.cause->detail);
}

void add_of_spring(rd_kafka_headers_t* headers, const LetterFacts& facts) {
  add_header(headers, "kafka_dlt-original-topic", facts.topic);
  add_number(headers, "kafka_dlt-original-partition", int32_t{-1});
  add_number(headers, "kafka_dlt-original-offset", int64_t{-1});
  add_number(headers, "kafka_dlt-original-timestamp", facts.record_time_ms);
  add_header(headers, "kafka_dlt-original-timestamp-type", "CreateTime");
  add_header(headers, "kafka_dlt-exception-fqcn", exception_of(facts.cause->code));
  add_header(headers, "kafka_dlt-exception-message", facts.cause->detail);
}

}  // namespace

string_view exception_of(string_view code) {
  for (const auto& [known, exception] : kExceptions) {
    if (known == code) return exception;
  }
  return code;
}

void add_error_headers(rd_kafka_headers_t* headers, const LetterFacts& facts) {
  add_own(headers, facts);
  add_of_connect(headers, facts);
  add_of_spring(headers, facts);
}

}  // namespace outbox::kafka
