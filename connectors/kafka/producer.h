#pragma once
// Producer: one idempotent producer of the client library, from build to destruction. It turns
// fatal when it can no longer promise its order; then the Conveyor takes back what it holds, buries
// it and builds the next one.
//
// Thread: the pipeline's, but for the destructor, which waits for the library's threads and may run
// on any. Lifetime: the bytes of a record stay until its report came, or the producer is destroyed.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/handles.h"
#include "connectors/kafka/properties.h"
#include "connectors/kafka/wakeup.h"
#include "relay/core/position.h"
#include "relay/core/result.h"

namespace outbox::kafka {

/// A record as the client takes it. Key and value are views (a key is always copied); the headers
/// are handed over.
struct Record {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  HeadersHandle headers;
  int64_t timestamp_ms = 0;
  /// Whether the value's bytes stay until the report, or are the caller's only during send().
  enum class Value : uint8_t { stays, passes } value_lifetime = Value::stays;
};

class Producer {
 public:
  /// Connects in the background. `wakeup` is signalled when events come.
  static core::Result<std::unique_ptr<Producer>> make(std::shared_ptr<const ClientOptions> options,
                                                      const ProducerSettings& settings,
                                                      std::shared_ptr<Wakeup> wakeup);
  Producer(std::shared_ptr<const ClientOptions> options, std::shared_ptr<Wakeup> wakeup,
           ClientHandle client);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Starts to learn where the topic's partitions live, so that its first record is not late.
  void warm(uint32_t topic, const std::string& name);

  /// Asks anew how many partitions the topic has. The client asks by itself only every five
  /// minutes, and refuses records for a partition that was added meanwhile. Returns at once.
  void learn_partitions(uint32_t topic);

  /// Queues a record. The topic was warmed.
  rd_kafka_resp_err_t send(uint32_t topic, uint32_t partition, Record& record, core::Ticket ticket);

  /// What a report says of the record that was sent.
  static core::Ticket ticket_of(const rd_kafka_message_t& report);
  static uint32_t topic_of(const rd_kafka_message_t& report);

  /// The next delivery report or error; null when there is none. Serve until then: the wakeup is
  /// signalled once until the queue was empty.
  EventHandle next_event() { return EventHandle(rd_kafka_queue_poll(queue_.get(), 0)); }

  /// Takes back what is queued and not on the way to a broker. Reports of it follow.
  void take_back();

  /// Why it can send no more; nullopt while it can.
  std::optional<std::string> fatal() const;

  /// For tests: turns it fatal as the library would.
  void break_it();

 private:
  enum Argument {
    kTopic,
    kPartition,
    kKey,
    kValue,
    kTimestamp,
    kOpaque,
    kFlags,
    kHeaders,
    kArguments
  };

  const std::shared_ptr<const ClientOptions> options_;
  const std::shared_ptr<Wakeup> wakeup_;
  ClientHandle client_;
  QueueHandle queue_;
  std::vector<TopicHandle> topics_;                    // by the sink's index; null until warmed
  std::array<rd_kafka_vu_t, kArguments> arguments_{};  // of the next record; reused
};

}  // namespace outbox::kafka
