// What comes back from the client library: delivery reports and errors of connections.

#include <algorithm>
#include <utility>

#include "connectors/kafka/conveyor.h"
#include "connectors/kafka/refusal.h"
#include "connectors/kafka/trouble.h"
#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

using core::Completion;
using core::Now;
using core::Outcome;

}  // namespace

// One report event is one batch of one partition, with one error; or what was taken back together.
void Conveyor::take_reports(rd_kafka_event_t* event, std::vector<Completion>& completions,
                            Now now) {
  const size_t batch_size = rd_kafka_event_message_count(event);
  const size_t first = completions.size();
  completions.reserve(first + batch_size);
  batch_.clear();
  while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
    complete(*message, batch_size, completions, now);
  }
}

void Conveyor::complete(const rd_kafka_message_t& message, size_t batch_size,
                        std::vector<Completion>& completions, Now now) {
  OUTBOX_ASSERT(outside_count_ > 0);
  --outside_count_;
  outside_bytes_ -= message.key_len + message.len + options_.record_cost_bytes;
  const core::Ticket ticket = Producer::ticket_of(message);
  const uint32_t number = Producer::topic_of(message);
  Topic& topic = topics_[number];
  Partition& partition = topic.partitions[static_cast<size_t>(message.partition)];
  --partition.outside;
  if (--topic.outside == 0 && topic.placing_partitions != topic.known_partitions) {
    raise_generation();
  }
  const rd_kafka_msg_status_t status = rd_kafka_message_status(&message);
  const Meaning meaning = meaning_of(message.err, status);
  const Outcome outcome = outcome_of(meaning, status, batch_size == 1);
  completions.push_back(Completion{ticket, outcome, nullptr});
  if (meaning == Meaning::delivered) {
    note_delivered(ticket, partition, now);
    return;
  }
  fence(now);
  if (outcome != Outcome::returned) completions.back().cause = cause_of(number, message);
  if (meaning == Meaning::topic_trouble) note_topic_trouble(number, message.err, now);
  if (meaning != Meaning::refused) return;
  facts_.look_again(number);  // its limits may have changed
  progress_ = true;
  const bool suspected = !partition.suspects.empty();
  if (outcome == Outcome::reject) {
    if (suspected) partition.suspects.acquit(ticket);
  } else {
    batch_.push_back(ticket);
    // The batch's last record: the suspicion is complete.
    if (batch_.size() == batch_size) partition.suspects.accuse(std::exchange(batch_, {}));
  }
  if (suspected && partition.suspects.empty()) --partitions_with_suspects_;
  if (!suspected && !partition.suspects.empty()) ++partitions_with_suspects_;
}

void Conveyor::note_delivered(core::Ticket ticket, Partition& partition, Now now) {
  progress_ = true;
  trouble_.reset();
  partition.used_at = now.instant;
  if (partition.seeding == Seeding::under_way) {
    partition.seeding = Seeding::seeded;
    raise_generation();
  }
  if (partition.suspects.empty()) return;
  if (partition.suspects.acquit(ticket)) raise_generation();
  if (partition.suspects.empty()) --partitions_with_suspects_;
}

std::unique_ptr<core::Cause> Conveyor::cause_of(uint32_t topic,
                                                const rd_kafka_message_t& message) const {
  rd_kafka_timestamp_type_t type{};
  const Refused refused{static_cast<uint32_t>(message.partition), message.err,
                        message.len + message.key_len, rd_kafka_message_timestamp(&message, &type)};
  return std::make_unique<core::Cause>(
      core::Cause{error_name(message.err), describe_refusal(refused, facts_.facts(topic))});
}

void Conveyor::note_error(rd_kafka_event_t* event, Now now) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (error == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event)) {
    if (options_.client->log && state_ == State::open) {
      options_.client->log(
          5, "a Kafka producer gave up and is replaced: " + producer_->fatal().value_or("?"));
    }
    fence(now);
    return;
  }
  const bool all_down = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  const bool not_let_in = is_not_let_in(error);
  if (!trouble_) trouble_ = ConnectionTrouble{"", now.instant, false, false};
  // The sentence that says most is kept: a refused password over a lost connection over "all down".
  if (trouble_->text.empty() || not_let_in || (!all_down && !trouble_->not_let_in)) {
    trouble_->text = describe_trouble(error, rd_kafka_event_error_string(event));
  }
  trouble_->not_let_in = trouble_->not_let_in || not_let_in;
  trouble_->all_down = trouble_->all_down || all_down;
}

}  // namespace outbox::kafka
