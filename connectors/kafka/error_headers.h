#pragma once
// The headers that a dead letter's copy has beside the record's own. The same facts three times: by
// our names, and by those that tools for Kafka Connect's and for Spring's dead letters look for.
//
// The record was never in its topic, so it has neither partition nor offset: both are -1, as
// Connect writes where it knows none. Connect's numbers are text, Spring's are big-endian integers.
// The class of an exception is the one by which Kafka's Java client would have told it; where there
// is none, our code.

#include <cstdint>
#include <string_view>

#include "connectors/kafka/handles.h"
#include "relay/core/outcome.h"

namespace outbox::kafka {

inline constexpr std::string_view kErrorCode = "outbox.error.code";
inline constexpr std::string_view kErrorDetail = "outbox.error.detail";
inline constexpr std::string_view kErrorTopic = "outbox.error.topic";  // absent without a topic
inline constexpr std::string_view kErrorPipeline = "outbox.error.pipeline";
inline constexpr std::string_view kErrorAttempts = "outbox.error.attempts";
inline constexpr std::string_view kErrorTime = "outbox.error.time";  // ms since 1970, of the letter
inline constexpr std::string_view kErrorRecordTime = "outbox.error.record_time";  // the original's

/// All that may be added.
inline constexpr size_t kErrorHeaders = 22;

struct LetterFacts {
  const core::Cause* cause = nullptr;
  std::string_view topic;  // empty: none
  std::string_view pipeline;
  uint32_t attempts = 0;
  int64_t time_ms = 0;
  int64_t record_time_ms = 0;
};

void add_error_headers(rd_kafka_headers_t* headers, const LetterFacts& facts);

/// Kafka's Java exception for this code, or the code.
std::string_view exception_of(std::string_view code);

}  // namespace outbox::kafka
