#pragma once
// Admin: asks the cluster about topics and makes dead-letter topics. Every call waits for the
// answer, at most `timeout`, so it is for threads that may wait: TopicWatch's own, the start of
// `outbox run`, `outbox doctor`.
//
// One thread at a time. Errors are Errors with fault `retry` (not reached) or `reject` (refused).

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/handles.h"
#include "connectors/kafka/properties.h"
#include "relay/core/clock.h"
#include "relay/core/result.h"

namespace outbox::kafka {

enum class TopicAnswer {
  found,
  missing,
  denied,       // we may not even describe it
  unreachable,  // no answer; `reason` says why
};

/// What the cluster says of a topic.
struct TopicFacts {
  std::string topic;
  TopicAnswer answer = TopicAnswer::unreachable;
  std::string reason;
  uint32_t partitions = 0;
  /// False where we may not read the topic's settings: what follows are then Kafka's defaults.
  bool settings_read = false;
  size_t record_bytes_max = 1'048'588;
  bool compacted = false;
  bool log_append_time = false;
  core::Duration timestamp_ahead_max = std::chrono::hours(1);
  /// How long the broker keeps a record for certain; nullopt: it may remove any, or nobody knows.
  std::optional<std::chrono::milliseconds> kept_for;
};

struct Broker {
  int32_t id = 0;
  std::string address;
};

struct ClusterFacts {
  std::string cluster_id;
  std::vector<Broker> brokers;
};

class Admin {
 public:
  using Timeout = std::chrono::milliseconds;

  /// Connects in the background. `options` outlive it.
  static core::Result<std::unique_ptr<Admin>> make(const ClientOptions& options,
                                                   Reconnects reconnects);
  explicit Admin(ClientHandle client);

  core::Result<ClusterFacts> cluster(Timeout timeout);
  TopicFacts topic(const std::string& name, Timeout timeout);

  /// Makes a topic with the broker's default replication. It is no error when it exists.
  core::Result<void> create_topic(const std::string& name, uint32_t partitions,
                                  size_t record_bytes_max, Timeout timeout);

  /// The newest trouble that the client told of: a refused password or certificate, a name that
  /// does not resolve, nobody listening. Empty after an answer.
  const std::string& trouble() const { return trouble_; }
  /// The brokers refused who we are.
  bool not_let_in() const { return not_let_in_; }

 private:
  void read_settings(TopicFacts& facts, Timeout timeout);
  EventHandle wait_for(rd_kafka_event_type_t type, Timeout timeout);
  void note(rd_kafka_event_t* event);
  void note_pending();
  std::string reason_of(rd_kafka_resp_err_t error);

  ClientHandle client_;
  QueueHandle main_;     // errors
  QueueHandle answers_;  // of admin requests
  std::string trouble_;
  bool not_let_in_ = false;
  bool settings_unanswered_ = false;  // the last question about settings got no answer
};

}  // namespace outbox::kafka
