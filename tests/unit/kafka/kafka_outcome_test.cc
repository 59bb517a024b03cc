// The table from delivery reports to outcomes, over every code that librdkafka knows.

#include "connectors/kafka/kafka_outcome.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace outbox::kafka {
namespace {

using core::Outcome;

constexpr rd_kafka_msg_status_t kNotPersisted = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
constexpr rd_kafka_msg_status_t kPossibly = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
constexpr rd_kafka_msg_status_t kPersisted = RD_KAFKA_MSG_STATUS_PERSISTED;

// The whole expectation, written a second time and by name: a code that moves between the classes,
// or a new one that would become a dead letter, shows here.
const std::set<rd_kafka_resp_err_t> kRefused = {
    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,   RD_KAFKA_RESP_ERR_INVALID_MSG,
    RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,  RD_KAFKA_RESP_ERR_INVALID_RECORD,
    RD_KAFKA_RESP_ERR_POLICY_VIOLATION};
const std::set<rd_kafka_resp_err_t> kTopicTrouble = {
    RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
const std::set<rd_kafka_resp_err_t> kUnusable = {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
                                                 RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
                                                 RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
                                                 RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE,
                                                 RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
                                                 RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED,
                                                 RD_KAFKA_RESP_ERR__INVALID_ARG};
const std::set<rd_kafka_resp_err_t> kNotSent = {
    RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__RETRY};

std::vector<rd_kafka_resp_err_t> every_code() {
  const rd_kafka_err_desc* descriptions = nullptr;
  size_t count = 0;
  rd_kafka_get_err_descs(&descriptions, &count);
  std::vector<rd_kafka_resp_err_t> codes;
  for (size_t i = 0; i < count; ++i) {
    if (descriptions[i].desc != nullptr) codes.push_back(descriptions[i].code);
  }
  return codes;
}

Meaning expected(rd_kafka_resp_err_t code) {
  if (kRefused.contains(code)) return Meaning::refused;
  if (kTopicTrouble.contains(code)) return Meaning::topic_trouble;
  if (kUnusable.contains(code)) return Meaning::unusable;
  if (kNotSent.contains(code)) return Meaning::not_sent;
  return Meaning::passing;
}

TEST(KafkaOutcome, EveryKnownCodeHasTheMeaningThatIsWrittenHere) {
  ASSERT_GT(every_code().size(), 150U);
  for (const rd_kafka_resp_err_t code : every_code()) {
    EXPECT_EQ(meaning_of(code, kNotPersisted), expected(code)) << rd_kafka_err2name(code);
    EXPECT_EQ(meaning_of(code, kPossibly), expected(code)) << rd_kafka_err2name(code);
  }
}

TEST(KafkaOutcome, WhatIsPersistedIsDeliveredWhateverTheError_Invariant1) {
  for (const rd_kafka_resp_err_t code : every_code()) {
    EXPECT_EQ(meaning_of(code, kPersisted), Meaning::delivered) << rd_kafka_err2name(code);
  }
}

TEST(KafkaOutcome, WithoutProofOfPersistenceNoErrorIsNotSuccess_Invariant1) {
  EXPECT_EQ(meaning_of(RD_KAFKA_RESP_ERR_NO_ERROR, kNotPersisted), Meaning::passing);
  EXPECT_EQ(meaning_of(RD_KAFKA_RESP_ERR_NO_ERROR, kPossibly), Meaning::passing);
}

TEST(KafkaOutcome, ACodeOfALaterBrokerIsTriedAgainAndNoDeadLetter) {
  const auto code = static_cast<rd_kafka_resp_err_t>(131);
  EXPECT_EQ(meaning_of(code, kNotPersisted), Meaning::passing);
  EXPECT_EQ(error_name(code), "ERROR_131");
}

TEST(KafkaOutcome, OnlyARefusalOfARecordByItselfIsAReject_Row26NoDeadLetterFromAnOutage) {
  for (const rd_kafka_resp_err_t code : every_code()) {
    for (const auto status : {kNotPersisted, kPossibly, kPersisted}) {
      const Meaning meaning = meaning_of(code, status);
      EXPECT_NE(outcome_of(meaning, status, false), Outcome::reject) << rd_kafka_err2name(code);
      EXPECT_EQ(outcome_of(meaning, status, true) == Outcome::reject,
                status != kPersisted && kRefused.contains(code))
          << rd_kafka_err2name(code);
      EXPECT_NE(outcome_of(meaning, status, true), Outcome::unknown);
    }
  }
}

TEST(KafkaOutcome, ReturnedMeansSurelyWithoutEffect_Invariant4) {
  for (const rd_kafka_resp_err_t code : every_code()) {
    for (const bool alone : {false, true}) {
      EXPECT_NE(outcome_of(meaning_of(code, kPossibly), kPossibly, alone), Outcome::returned)
          << rd_kafka_err2name(code);
    }
  }
  EXPECT_EQ(outcome_of(Meaning::not_sent, kNotPersisted, false), Outcome::returned);
  EXPECT_EQ(outcome_of(Meaning::refused, kNotPersisted, false), Outcome::returned);
  EXPECT_EQ(outcome_of(Meaning::not_sent, kPossibly, false), Outcome::retry);
}

TEST(KafkaOutcome, NamesAreTheProtocolsOwn) {
  EXPECT_EQ(error_name(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), "MSG_SIZE_TOO_LARGE");
  EXPECT_EQ(error_name(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP), "INVALID_TIMESTAMP");
  EXPECT_EQ(error_name(RD_KAFKA_RESP_ERR__PURGE_QUEUE), "_PURGE_QUEUE");
}

}  // namespace
}  // namespace outbox::kafka
