#pragma once
// The record that Debezium's Outbox Event Router (3.3) sends, behind Connect's converters without
// schemas. relay/docs/from-debezium.md maps each of its options to the one here.
//
//   key        aggregate_id; with the json converter in quotes, or the four letters null
//   value      the payload as it is (StringConverter, ByteArrayConverter, BinaryDataConverter), or
//              as JSON (JsonConverter with schemas.enable=false): a string, base64 of bytes, or the
//              payload's own JSON when it is expanded. With envelope fields: {"payload":…,
//              "alias":…}
//   headers    id, then the additional ones in their order, then those of the event's `headers`
//              column, which the router does not know. None of the relay's own: a consumer that
//              compares or copies headers must not see a difference
//   timestamp  the column that is named, else the commit time (the router: when it read the row)
//   partition  the column that is named, else by the key, as Java clients choose

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/format/formatted_record.h"
#include "connectors/kafka/format/json_expansion.h"
#include "relay/core/outcome.h"

namespace outbox::kafka {

struct DebeziumOptions {
  enum class Converter : uint8_t { verbatim, json };
  enum class Payload : uint8_t { as_it_is, expanded };
  enum class EmptyPayload : uint8_t { as_it_is, tombstone };
  struct Field {
    size_t extra = 0;  // its place among Event::extras
    std::string alias;
    bool operator==(const Field&) const = default;
  };

  Converter key_converter = Converter::verbatim;
  Converter value_converter = Converter::verbatim;
  Payload payload = Payload::as_it_is;
  JsonNulls nulls = JsonNulls::left_out;
  EmptyPayload empty_payload = EmptyPayload::as_it_is;
  std::vector<Field> headers;
  std::vector<Field> envelope;  // needs the json value converter
  std::optional<size_t> partition_extra;
  std::optional<size_t> timestamp_extra;
};

class DebeziumFormat {
 public:
  explicit DebeziumFormat(DebeziumOptions options);

  /// Key and partition, before anything costly is made. A Cause says which column is no partition.
  std::optional<core::Cause> address(const core::Event& event, FormattedRecord& record) const;

  /// The rest, behind address().
  std::optional<core::Cause> write(const core::Event& event, const FormatContext& context,
                                   FormattedRecord& record);

 private:
  void write_value(const core::Event& event, FormattedRecord& record);
  void append_payload(const core::Event& event, std::string& json);
  bool is_tombstone(const core::Event& event) const;

  DebeziumOptions options_;
  JsonExpansion expansion_;
};

}  // namespace outbox::kafka
