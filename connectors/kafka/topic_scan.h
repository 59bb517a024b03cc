#pragma once
// TopicScan: reads topics from where they begin to where they ended when they were looked at, each
// record once; for `outbox verify`. Commits nothing, joins no group, makes nothing.
//
//   extent(topic) for each; begin(extents); read() until it says that the end was reached
//
// Thread: one, which waits. Memory: what the client library fetches ahead is bounded by
// kFetchedAheadBytes, or one record if that is larger.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/handles.h"
#include "connectors/kafka/properties.h"
#include "relay/core/clock.h"
#include "relay/core/event.h"
#include "relay/core/result.h"

namespace outbox::kafka {

inline constexpr size_t kFetchedAheadBytes = 8 * 1024 * 1024;

struct PartitionExtent {
  uint64_t log_start = 0;  // records before it were removed
  uint64_t begin = 0;      // where reading begins
  uint64_t end = 0;        // of the log, when it was looked at: reading ends before it
};

struct TopicExtent {
  TopicFacts facts;
  std::vector<PartitionExtent> partitions;  // empty unless facts.answer is found
};

/// Views hold until the callback returns.
struct ScannedRecord {
  size_t topic = 0;  // its place in the list given to begin()
  uint32_t partition = 0;
  uint64_t offset = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const core::Header> headers;
};

class TopicScan {
 public:
  using Timeout = std::chrono::milliseconds;

  /// `options` outlive it.
  static core::Result<std::unique_ptr<TopicScan>> make(const ClientOptions& options);
  TopicScan(std::unique_ptr<Admin> admin, ClientHandle client);
  ~TopicScan();

  /// The topic as it is now. With `since`, partitions begin at their first record of that time or
  /// later. An Error: the cluster cannot be reached, or does not let us in.
  core::Result<TopicExtent> extent(const std::string& topic, std::optional<core::WallTime> since,
                                   Timeout timeout);

  /// Where the log begins now: retention may have moved it while it was read.
  core::Result<std::vector<uint64_t>> log_starts(const TopicExtent& extent, Timeout timeout);

  core::Result<void> begin(const std::vector<TopicExtent>& extents);

  /// Hands out some records; false once the end of every partition was reached. An Error after a
  /// minute in which nothing came.
  using Use = std::function<core::Result<void>(const ScannedRecord& record)>;
  core::Result<bool> read(const Use& use);

 private:
  struct Reading {
    size_t topic = 0;
    uint32_t partition = 0;
    uint64_t end = 0;
    bool done = false;
  };

  core::Result<void> find_begins(TopicExtent& extent, core::WallTime since, Timeout timeout);
  core::Result<void> take(const rd_kafka_message_t& message, const Use& use);
  Reading* reading_of(const rd_kafka_message_t& message);
  void finish(Reading& reading);

  std::unique_ptr<Admin> admin_;
  ClientHandle client_;
  std::vector<std::string> names_;
  std::vector<std::vector<Reading>> readings_;  // by topic and partition
  size_t open_ = 0;                             // partitions that are not read to their end
  core::Instant last_came_{};
  std::vector<core::Header> headers_;  // reused
};

}  // namespace outbox::kafka
