#pragma once
// Reads what a [[pipeline.route]] says of its records' format, and of its topic by a regular
// expression.

#include <optional>

#include "relay/app/config/record_format.h"
#include "relay/app/config/table_reader.h"
#include "relay/flow/router.h"

namespace outbox::app {

/// The keys format, cloudevents and debezium.
RecordFormat read_format(TableReader& route);

/// The keys topic_regex and topic_replacement, instead of topic; nullopt when neither is there, or
/// when what is there cannot be used.
std::optional<flow::TopicRule> read_topic_rule(TableReader& route);

}  // namespace outbox::app
