#pragma once
// CloudEvents 1.0 over Kafka (its protocol binding, version 1.0.2).
//
//   attribute         is                              absent when
//   id                the event's id
//   source            from the config, ${aggregate_type} filled in
//   type              event_type; an empty one is refused
//   subject           aggregate_id, the record's key  there is none, or it is empty
//   time              commit time
//   datacontenttype   the event's own header content-type, else the route's, else by the payload:
//                     application/json, text/plain; charset=utf-8, application/octet-stream
//   aggregatetype     aggregate_type (an extension)   it is empty
//
// binary: attributes are headers ce_*, datacontenttype is content-type, the value is the payload as
// it is. structured: the value is one JSON document with them; a payload of a JSON type is embedded
// as data, text as a string, bytes as data_base64; content-type is application/cloudevents+json.
// In both, the event's own headers, position and epoch are plain headers of the record. An event's
// own header called ce_* is refused. No payload: no value in binary mode (a tombstone), no data in
// structured mode.

#include <memory>
#include <optional>
#include <string>

#include "connectors/kafka/format/formatted_record.h"
#include "relay/core/outcome.h"

namespace outbox::kafka {

struct CloudEventsOptions {
  enum class Mode : uint8_t { binary, structured };
  Mode mode = Mode::binary;
  std::string source;             // not empty; may hold ${aggregate_type}
  std::string data_content_type;  // empty: by the payload
};

class CloudEventsFormat {
 public:
  explicit CloudEventsFormat(CloudEventsOptions options);
  ~CloudEventsFormat();
  CloudEventsFormat(CloudEventsFormat&&) noexcept;
  CloudEventsFormat& operator=(CloudEventsFormat&&) = delete;

  /// Key and partition, before anything costly is made.
  std::optional<core::Cause> address(const core::Event& event, FormattedRecord& record) const;

  /// The rest, behind address(). A Cause says why this event cannot be a CloudEvent.
  std::optional<core::Cause> write(const core::Event& event, const FormatContext& context,
                                   FormattedRecord& record) const;

 private:
  struct Attributes;
  class JsonCheck;

  std::optional<core::Cause> write_binary(const core::Event& event, const Attributes& attributes,
                                          FormattedRecord& record) const;
  std::optional<core::Cause> write_structured(const core::Event& event,
                                              const Attributes& attributes,
                                              FormattedRecord& record) const;
  std::string_view content_type(const core::Event& event) const;
  std::optional<core::Cause> append_data(const core::Event& event, std::string_view content_type,
                                         std::string& json) const;

  CloudEventsOptions options_;
  std::unique_ptr<JsonCheck> json_check_;
};

}  // namespace outbox::kafka
