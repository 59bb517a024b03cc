#pragma once
// What a delivery report means: one table from librdkafka's error code and message status to what
// the sink does. Nothing else in this connector judges a report.
//
// "A repeat is harmless": consumers drop a repeated id, so a record that may have been persisted is
// sent again rather than asked about (invariant 5's exception, which the Kafka route declares).

#include <librdkafka/rdkafka.h>

#include <string>

#include "relay/core/outcome.h"

namespace outbox::kafka {

enum class Meaning {
  delivered,      // persisted
  not_sent,       // taken back before it left, or surely without effect: not an attempt
  passing,        // an outage or a client that gave up; may have been persisted
  refused,        // the broker refuses this record, or another one of the same batch
  topic_trouble,  // the topic is unknown or closed to us; its facts are read again
  unusable,       // the broker will never take what this client sends: a person is needed
};

/// `status` counts more than `error`: what is persisted is delivered, however the call ended.
Meaning meaning_of(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status);

/// What the pipeline is told about one record of a report. `alone`: the report is about this record
/// only, so a refusal is its own and not a neighbour's.
core::Outcome outcome_of(Meaning meaning, rd_kafka_msg_status_t status, bool alone);

/// "MSG_SIZE_TOO_LARGE"; a code that this librdkafka has no name for is "ERROR_<number>".
std::string error_name(rd_kafka_resp_err_t error);

}  // namespace outbox::kafka
