#pragma once
// What the tests of Kafka sinks share: the broker under test, topics of a test's own, a loop that
// waits as the runner does, and an independent reader (kcat).

#include <poll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/kafka.h"
#include "relay/core/clock.h"
#include "relay/core/health.h"

namespace outbox::support {

/// Host and port from KAFKA_BOOTSTRAP; a missing broker fails the test that asks.
std::string kafka_bootstrap();

kafka::ClientOptions client_options(kafka::Properties properties = {});

/// Real time: these tests talk to a real broker.
core::Now real_now();

/// A new topic; settings such as {"max.message.bytes", "100000"}.
std::string make_topic(uint32_t partitions, const std::map<std::string, std::string>& settings = {},
                       const std::string& name = "");

std::string unique_name(const std::string& stem);

/// Sleeps in poll(2) as the runner does, at most `most`.
void wait_for(const std::vector<core::Interest>& interests, std::chrono::milliseconds most);

/// Calls `step` until it returns true; fails the test after `patience`.
bool until(std::chrono::seconds patience, const std::function<bool()>& step);

/// A record as kcat shows it. Absent key and value are nullopt.
struct ReadRecord {
  uint32_t partition = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;  // a null value reads as "NULL"

  std::string header(const std::string& name) const;
};

/// Everything in the topic, each partition in its order. Values may hold any byte but 0x1e and
/// 0x1f.
std::vector<ReadRecord> read_topic(const std::string& topic);

}  // namespace outbox::support
