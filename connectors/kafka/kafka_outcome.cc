#include "connectors/kafka/kafka_outcome.h"

namespace outbox::kafka {
namespace {

using core::Outcome;

// By what the error says of the record. Codes that no produce request can bring fall through to
// `passing`: a repeat is harmless, a wrong dead letter is not.
Meaning meaning_of_error(rd_kafka_resp_err_t error) {
  switch (error) {
    // The broker looked at the batch and refused its content.
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return Meaning::refused;

    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return Meaning::topic_trouble;

    // Settings or protocol that fit no broker like this one.
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return Meaning::unusable;

    // Taken back by our own purge, or ended with the client: never in flight when it happened.
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__RETRY:
      return Meaning::not_sent;

    default:
      return Meaning::passing;
  }
}

}  // namespace

Meaning meaning_of(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status) {
  if (status == RD_KAFKA_MSG_STATUS_PERSISTED) return Meaning::delivered;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Meaning::passing;
  return meaning_of_error(error);
}

Outcome outcome_of(Meaning meaning, rd_kafka_msg_status_t status, bool alone) {
  const bool surely_without_effect = status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  switch (meaning) {
    case Meaning::delivered:
      return Outcome::durable;
    case Meaning::refused:
      // The refusal is only this record's own when it was sent by itself. A neighbour of the
      // offender goes back, without an attempt counted.
      if (alone) return Outcome::reject;
      [[fallthrough]];
    case Meaning::not_sent:
    case Meaning::topic_trouble:
      return surely_without_effect ? Outcome::returned : Outcome::retry;
    case Meaning::passing:
      return Outcome::retry;
    case Meaning::unusable:
      return Outcome::fatal;
  }
  return Outcome::fatal;
}

std::string error_name(rd_kafka_resp_err_t error) {
  const char* name = rd_kafka_err2name(error);
  if (name == nullptr || name[0] == '\0' || std::string(name).starts_with("ERR_")) {
    return "ERROR_" + std::to_string(static_cast<int>(error));
  }
  return name;
}

}  // namespace outbox::kafka
