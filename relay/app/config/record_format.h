#pragma once
// What a route's `format` says of its records. connectors/kafka/format makes the records; the
// wiring hands over from one to the other.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace outbox::app {

struct PlainFormatConfig {
  bool operator==(const PlainFormatConfig&) const = default;
};

struct CloudEventsFormatConfig {
  enum class Mode : uint8_t { binary, structured };
  Mode mode = Mode::binary;
  std::string source = "/outbox/${aggregate_type}";
  std::string data_content_type;  // empty: by the payload
  bool operator==(const CloudEventsFormatConfig&) const = default;
};

/// As Debezium's Outbox Event Router and the converters behind it; named as its options.
struct DebeziumFormatConfig {
  enum class Converter : uint8_t { string, bytes, json };
  enum class Nulls : uint8_t { ignore, optional_bytes };
  enum class Placement : uint8_t { header, envelope, partition };
  struct Field {
    std::string column;
    Placement placement = Placement::header;
    std::string alias;
    bool operator==(const Field&) const = default;
  };
  Converter key_converter = Converter::string;
  Converter value_converter = Converter::string;
  bool expand_json_payload = false;
  Nulls json_payload_null_behavior = Nulls::ignore;
  bool tombstone_on_empty_payload = false;
  bool additional_error_on_missing = true;
  std::vector<Field> additional;
  std::string timestamp_column;  // empty: the commit time
  bool operator==(const DebeziumFormatConfig&) const = default;
};

using RecordFormat = std::variant<PlainFormatConfig, CloudEventsFormatConfig, DebeziumFormatConfig>;

}  // namespace outbox::app
