#include "relay/app/wiring_formats.h"

#include <algorithm>
#include <variant>

#include "connectors/kafka/format/formats.h"
#include "connectors/postgres/options.h"
#include "relay/core/assert.h"

namespace outbox::app {
namespace {

using Placement = DebeziumFormatConfig::Placement;
using postgres::ExtraColumn;

// Two routes may want one column; the stricter wish counts.
void want(std::vector<ExtraColumn>& columns, const std::string& name, ExtraColumn::Use use,
          ExtraColumn::Absence absence) {
  const auto known = std::find_if(columns.begin(), columns.end(),
                                  [&](const ExtraColumn& column) { return column.name == name; });
  if (known == columns.end()) {
    columns.push_back({name, use, absence});
    return;
  }
  if (use == ExtraColumn::Use::time) known->use = use;
  if (absence == ExtraColumn::Absence::refused) known->absence = absence;
}

size_t place_of(const std::vector<ExtraColumn>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ExtraColumn& column) { return column.name == name; });
  OUTBOX_ASSERT(found != columns.end());
  return static_cast<size_t>(found - columns.begin());
}

kafka::CloudEventsOptions cloud_events(const CloudEventsFormatConfig& config) {
  kafka::CloudEventsOptions options;
  options.mode = config.mode == CloudEventsFormatConfig::Mode::structured
                     ? kafka::CloudEventsOptions::Mode::structured
                     : kafka::CloudEventsOptions::Mode::binary;
  options.source = config.source;
  options.data_content_type = config.data_content_type;
  return options;
}

kafka::DebeziumOptions::Converter converter(DebeziumFormatConfig::Converter config) {
  return config == DebeziumFormatConfig::Converter::json
             ? kafka::DebeziumOptions::Converter::json
             : kafka::DebeziumOptions::Converter::verbatim;
}

kafka::DebeziumOptions debezium(const DebeziumFormatConfig& config,
                                const std::vector<ExtraColumn>& columns) {
  using Options = kafka::DebeziumOptions;
  Options options;
  options.key_converter = converter(config.key_converter);
  options.value_converter = converter(config.value_converter);
  if (config.expand_json_payload) options.payload = Options::Payload::expanded;
  if (config.json_payload_null_behavior == DebeziumFormatConfig::Nulls::optional_bytes) {
    options.nulls = kafka::JsonNulls::kept;
  }
  if (config.tombstone_on_empty_payload) options.empty_payload = Options::EmptyPayload::tombstone;
  for (const DebeziumFormatConfig::Field& field : config.additional) {
    const size_t place = place_of(columns, field.column);
    switch (field.placement) {
      case Placement::header:
        options.headers.push_back({place, field.alias});
        break;
      case Placement::envelope:
        options.envelope.push_back({place, field.alias});
        break;
      case Placement::partition:
        options.partition_extra = place;
        break;
    }
  }
  if (!config.timestamp_column.empty()) {
    options.timestamp_extra = place_of(columns, config.timestamp_column);
  }
  return options;
}

}  // namespace

std::vector<ExtraColumn> extra_columns(const PipelineConfig& pipeline) {
  std::vector<ExtraColumn> columns;
  for (const RecordFormat& format : pipeline.formats) {
    const auto* config = std::get_if<DebeziumFormatConfig>(&format);
    if (config == nullptr) continue;
    for (const DebeziumFormatConfig::Field& field : config->additional) {
      want(columns, field.column, ExtraColumn::Use::any,
           config->additional_error_on_missing ? ExtraColumn::Absence::refused
                                               : ExtraColumn::Absence::passed_over);
    }
    if (!config->timestamp_column.empty()) {
      want(columns, config->timestamp_column, ExtraColumn::Use::time,
           ExtraColumn::Absence::refused);
    }
  }
  return columns;
}

RouteFormats route_formats(const PipelineConfig& pipeline) {
  const std::vector<ExtraColumn> columns = extra_columns(pipeline);
  RouteFormats formats;
  for (const RecordFormat& format : pipeline.formats) {
    if (const auto* config = std::get_if<CloudEventsFormatConfig>(&format)) {
      formats.emplace_back(cloud_events(*config));
    } else if (const auto* peer = std::get_if<DebeziumFormatConfig>(&format)) {
      formats.emplace_back(debezium(*peer, columns));
    } else {
      formats.emplace_back(kafka::PlainOptions{});
    }
  }
  return formats;
}

}  // namespace outbox::app
