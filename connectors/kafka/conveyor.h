#pragma once
// Conveyor: carries records to the brokers so that the order of a key survives every failure
// (invariant 3). What KafkaSink and KafkaJournal share.
//
// - Seeding. A broker takes any first sequence number from a producer that it does not know. So the
//   first record of each partition goes alone until it is acknowledged, after each build of a
//   producer and after an hour idle; others of that partition are answered `wait` meanwhile.
// - Fence. A broker that refuses a batch turns the (gapless) producer fatal, and nothing behind the
//   batch can land. Then, and after any other report but *delivered*, nothing more is admitted;
//   what is queued is taken back, what is on the way is waited for; when all reports are in, a new
//   producer is built and the pipeline submits again in order.
// - Suspects. All records of a refused batch fail together; see suspects.h for how the offender is
//   found.
//
// Thread: the pipeline's. Nothing waits: building a producer only starts it, destroying one is left
// to the Undertaker.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/kafka_outcome.h"
#include "connectors/kafka/producer.h"
#include "connectors/kafka/suspects.h"
#include "connectors/kafka/topic_table.h"
#include "connectors/kafka/undertaker.h"
#include "connectors/kafka/wakeup.h"
#include "relay/core/clock.h"
#include "relay/core/event.h"
#include "relay/core/outcome.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

struct ConveyorOptions {
  std::shared_ptr<const ClientOptions> client;
  size_t outside_bytes_max = 0;
  /// What the client library allocates for a record beside its key and value.
  size_t record_cost_bytes = 0;
};

size_t key_and_value_bytes(const core::Event& event);

/// One record's place among topics and partitions, and what it weighs.
struct Place {
  core::Ticket ticket;
  uint32_t topic = 0;
  uint32_t partition = 0;
  size_t bytes = 0;  // key and value
};

/// What the producer says of its connections.
struct ConnectionTrouble {
  std::string text;
  core::Instant since{};
  bool not_let_in = false;
  bool all_down = false;
};

class Conveyor {
 public:
  /// `facts` outlives it: causes are described from it, and it is told what a broker said of a
  /// topic.
  Conveyor(ConveyorOptions options, TopicTable& facts, std::shared_ptr<Wakeup> wakeup);

  /// Builds the first producer with the next poll, before there is a record: its id takes a while.
  void warm_up() { wanted_ = true; }
  /// Names topic number `topic`; numbers come in order.
  void add_topic(uint32_t topic, const std::string& name);
  size_t topic_count() const { return topics_.size(); }
  /// The topic exists and has so many partitions. Its connection is made now.
  void open_topic(uint32_t topic, uint32_t partitions);
  /// 0 while records may not be placed: not opened, or the number of partitions changed and what is
  /// outside must come back first.
  uint32_t partitions(uint32_t topic);

  /// Whether this record could be sent now. `admitted` promises nothing; send() tells.
  core::Admission may_send(const Place& place, core::Now now);
  core::Admission send(const Place& place, Record& record, core::Now now);
  /// Refuses a record that is not to be sent at all; its completion comes with the next poll.
  core::Admission refuse(core::Ticket ticket, core::Cause cause);

  /// Takes in what came back. Appends completions.
  void poll(std::vector<core::Completion>& completions, core::Now now);

  /// Batches never outgrow this; a smaller bound than before is in force before the next record.
  void bound_batches(size_t bytes);
  void set_reconnects(Reconnects reconnects);
  /// Goes on with a new producer, as after a failure.
  void start_over(core::Now now);

  uint64_t wait_generation() const { return wait_generation_; }
  /// Something that was answered `wait` may go now.
  void raise_generation() { ++wait_generation_; }
  core::Instant wake_at(core::Instant now) const;
  const std::optional<ConnectionTrouble>& trouble() const { return trouble_; }
  void forget_trouble() { trouble_.reset(); }
  /// Why no producer can be built; null while one can.
  const std::optional<core::Error>& build_error() const { return build_error_; }
  size_t outside_count() const { return outside_count_; }
  uint64_t rebuilds() const { return rebuilds_; }
  /// For tests of the rebuild: the producer of now.
  Producer* producer() { return producer_.get(); }

 private:
  enum class State {
    open,
    draining,  // nothing more is admitted; what is outside is awaited
    fenced,    // the same, and what is queued is taken back
  };
  enum class Seeding : uint8_t { unseeded, under_way, seeded };
  struct Partition {
    uint32_t outside = 0;
    Seeding seeding = Seeding::unseeded;
    core::Instant used_at{};
    /// Since when others wait for suspects that do not come.
    std::optional<core::Instant> waited_for_since;
    Suspects suspects;
  };
  struct Topic {
    std::string name;
    uint32_t known_partitions = 0;    // by the newest answer; 0 until opened
    uint32_t placing_partitions = 0;  // by which records are placed now
    uint32_t outside = 0;
    std::deque<Partition> partitions;
  };

  core::Admission may_send_suspect(Partition& partition, const Place& place, core::Now now);
  void note_topic_trouble(uint32_t topic, rd_kafka_resp_err_t error, core::Now now);
  core::Admission refused_to_queue(const Place& place, rd_kafka_resp_err_t error, core::Now now);

  void take(rd_kafka_event_t* event, std::vector<core::Completion>& completions, core::Now now);
  void take_reports(rd_kafka_event_t* event, std::vector<core::Completion>& completions,
                    core::Now now);
  void complete(const rd_kafka_message_t& message, size_t batch_size,
                std::vector<core::Completion>& completions, core::Now now);
  void note_delivered(core::Ticket ticket, Partition& partition, core::Now now);
  std::unique_ptr<core::Cause> cause_of(uint32_t topic, const rd_kafka_message_t& message) const;
  void note_error(rd_kafka_event_t* event, core::Now now);
  void forget_absent_suspects(core::Now now);

  void fence(core::Now now);
  void go_on(core::Now now);
  void rebuild(core::Now now);
  Partition& partition_of(uint32_t topic, uint32_t partition) {
    return topics_[topic].partitions[partition];
  }

  const ConveyorOptions options_;
  TopicTable& facts_;
  const std::shared_ptr<Wakeup> wakeup_;
  ProducerSettings settings_;

  State state_ = State::fenced;
  core::Instant take_back_at_{};
  core::Instant rebuild_at_{};
  core::Duration rebuild_pause_{};
  bool wanted_ = false;   // somebody has a record to send
  bool progress_ = true;  // something was delivered or refused since the last build
  uint64_t rebuilds_ = 0;
  uint64_t wait_generation_ = 1;
  std::optional<ConnectionTrouble> trouble_;
  std::optional<core::Error> build_error_;

  std::deque<Topic> topics_;
  size_t partitions_with_suspects_ = 0;
  size_t outside_count_ = 0;  // records that the client library holds
  size_t outside_bytes_ = 0;
  std::vector<core::Completion> refused_unsent_;
  std::vector<core::Ticket> batch_;  // reused: the tickets of one refused batch

  std::unique_ptr<Undertaker> undertaker_;
  std::unique_ptr<Producer> producer_;
};

}  // namespace outbox::kafka
