#pragma once
// The headers of a record: the relay's own five, then the event's (CONTRACT, "A Kafka record").
//
// The hot path's largest cost is here: the client library allocates once per header. Names and
// sizes are given, so that nothing is measured twice.

#include <string>
#include <string_view>

#include "connectors/kafka/handles.h"
#include "relay/core/event.h"
#include "relay/core/position.h"

namespace outbox::kafka {

/// Bytes that the relay's own headers add to a record at most, beside type and aggregate_type,
/// which Event::bytes() counts: their names, the id's text, position, epoch, and the lengths around
/// them.
inline constexpr size_t kOwnHeadersBytes = 256;

/// Only of a record that was a dead letter before: for the how many-th time it was tried since. For
/// whoever reads in a circle, and for people; a repeat may have another number.
inline constexpr std::string_view kReplays = "outbox.replays";

class HeadersWriter {
 public:
  /// `more`: headers that the caller adds.
  HeadersHandle write(const core::Event& event, core::PositionForm form, uint64_t epoch,
                      size_t more = 0);

 private:
  std::string position_;  // reused
  std::string epoch_text_;
  uint64_t epoch_ = 0;
};

void add_header(rd_kafka_headers_t* headers, std::string_view name,
                std::optional<std::string_view> value);

}  // namespace outbox::kafka
