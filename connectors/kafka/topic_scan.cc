#include "connectors/kafka/topic_scan.h"

#include <algorithm>
#include <utility>

#include "connectors/kafka/kafka_outcome.h"
#include "connectors/kafka/trouble.h"
#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

using core::Error;
using core::Fault;
using core::Result;
using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr int kPollMs = 200;
constexpr size_t kRecordsAtATime = 1'000;
// Settings say whether a record that is missing may have been removed by the broker on its own.
constexpr int kAsksForSettings = 5;

using PartitionsHandle = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                         FreeWith<rd_kafka_topic_partition_list_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, FreeWith<rd_kafka_message_destroy>>;

Error error_of(rd_kafka_resp_err_t error, std::string op, std::string topic) {
  return {Fault::retry,
          error_name(error),
          std::move(op),
          "topic " + std::move(topic),
          rd_kafka_err2str(error),
          ""};
}

std::optional<std::string_view> view(const void* bytes, size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace

Result<std::unique_ptr<TopicScan>> TopicScan::make(const ClientOptions& options) {
  auto admin = Admin::make(options, Reconnects::fast);
  if (!admin) return admin.error();
  auto conf = scanning_conf(options, kFetchedAheadBytes);
  if (!conf) return conf.error();
  auto client = make_client(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!client) return client.error();
  rd_kafka_poll_set_consumer(client->get());
  return std::make_unique<TopicScan>(std::move(*admin), std::move(*client));
}

TopicScan::TopicScan(std::unique_ptr<Admin> admin, ClientHandle client)
    : admin_(std::move(admin)), client_(std::move(client)) {}

TopicScan::~TopicScan() { rd_kafka_consumer_close(client_.get()); }

Result<TopicExtent> TopicScan::extent(const std::string& topic, std::optional<core::WallTime> since,
                                      Timeout timeout) {
  TopicExtent extent;
  for (int ask = 0; ask < kAsksForSettings && !extent.facts.settings_read; ++ask) {
    extent.facts = admin_->topic(topic, timeout);
    if (extent.facts.answer != TopicAnswer::found) break;
  }
  if (extent.facts.answer == TopicAnswer::unreachable ||
      extent.facts.answer == TopicAnswer::denied) {
    const bool denied = extent.facts.answer == TopicAnswer::denied;
    return Error{denied ? Fault::fatal : Fault::retry,
                 denied ? "TOPIC_AUTHORIZATION_FAILED" : "KAFKA_UNREACHABLE",
                 "look at",
                 "topic " + topic,
                 denied ? "this user may not describe it" : extent.facts.reason,
                 ""};
  }
  const int timeout_ms = static_cast<int>(timeout.count());
  for (uint32_t partition = 0; partition < extent.facts.partitions; ++partition) {
    int64_t low = 0;
    int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(
        client_.get(), topic.c_str(), static_cast<int32_t>(partition), &low, &high, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(error, "ask for the ends of", topic);
    extent.partitions.push_back(
        {static_cast<uint64_t>(low), static_cast<uint64_t>(low), static_cast<uint64_t>(high)});
  }
  if (since && !extent.partitions.empty()) {
    if (auto found = find_begins(extent, *since, timeout); !found) return found.error();
  }
  return extent;
}

Result<void> TopicScan::find_begins(TopicExtent& extent, core::WallTime since, Timeout timeout) {
  const std::string& topic = extent.facts.topic;
  const PartitionsHandle asked(
      rd_kafka_topic_partition_list_new(static_cast<int>(extent.partitions.size())));
  for (size_t i = 0; i < extent.partitions.size(); ++i) {
    rd_kafka_topic_partition_list_add(asked.get(), topic.c_str(), static_cast<int32_t>(i))->offset =
        std::max<int64_t>(since.us / 1'000, 0);
  }
  const auto error =
      rd_kafka_offsets_for_times(client_.get(), asked.get(), static_cast<int>(timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(error, "look for a time in", topic);
  for (int i = 0; i < asked->cnt; ++i) {
    const rd_kafka_topic_partition_t& answer = asked->elems[i];
    if (answer.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return error_of(answer.err, "look for a time in", topic);
    }
    PartitionExtent& partition = extent.partitions[static_cast<size_t>(answer.partition)];
    // Behind the last record that is as young, a negative number: nothing is.
    partition.begin = answer.offset < 0 ? partition.end : static_cast<uint64_t>(answer.offset);
    partition.begin = std::clamp(partition.begin, partition.log_start, partition.end);
  }
  return {};
}

Result<std::vector<uint64_t>> TopicScan::log_starts(const TopicExtent& extent, Timeout timeout) {
  std::vector<uint64_t> starts;
  for (size_t partition = 0; partition < extent.partitions.size(); ++partition) {
    int64_t low = 0;
    int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), extent.facts.topic.c_str(),
                                                        static_cast<int32_t>(partition), &low,
                                                        &high, static_cast<int>(timeout.count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return error_of(error, "ask for the ends of", extent.facts.topic);
    }
    starts.push_back(static_cast<uint64_t>(low));
  }
  return starts;
}

Result<void> TopicScan::begin(const std::vector<TopicExtent>& extents) {
  names_.clear();
  readings_.clear();
  open_ = 0;
  const PartitionsHandle all(rd_kafka_topic_partition_list_new(16));
  for (const TopicExtent& extent : extents) {
    std::vector<Reading>& readings = readings_.emplace_back();
    for (const PartitionExtent& partition : extent.partitions) {
      const auto number = static_cast<uint32_t>(readings.size());
      readings.push_back({names_.size(), number, partition.end, true});
      if (partition.begin >= partition.end) continue;
      readings.back().done = false;
      ++open_;
      rd_kafka_topic_partition_list_add(all.get(), extent.facts.topic.c_str(),
                                        static_cast<int32_t>(number))
          ->offset = static_cast<int64_t>(partition.begin);
    }
    names_.push_back(extent.facts.topic);
  }
  last_came_ = steady_clock::now();
  const auto error = rd_kafka_assign(client_.get(), all.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(error, "read", "of the routes");
  return {};
}

Result<bool> TopicScan::read(const Use& use) {
  for (size_t i = 0; i < kRecordsAtATime && open_ > 0; ++i) {
    const MessageHandle message(rd_kafka_consumer_poll(client_.get(), kPollMs));
    if (message == nullptr) break;
    if (auto taken = take(*message, use); !taken) return taken.error();
  }
  if (open_ > 0 && steady_clock::now() - last_came_ > kPatience) {
    return Error{Fault::retry, "KAFKA_UNREACHABLE",         "read",
                 "the topics", "nothing came for a minute", ""};
  }
  return open_ > 0;
}

Result<void> TopicScan::take(const rd_kafka_message_t& message, const Use& use) {
  Reading* reading = reading_of(message);
  if (reading == nullptr || reading->done) return {};
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    finish(*reading);  // the last offsets may be no records (compaction, transactions)
    return {};
  }
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (is_passing(message.err)) return {};
    return error_of(message.err, "read", names_[reading->topic]);
  }
  last_came_ = steady_clock::now();
  const auto offset = static_cast<uint64_t>(message.offset);
  if (offset >= reading->end) {
    finish(*reading);
    return {};
  }
  headers_.clear();
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      headers_.push_back({name, view(value, size)});
    }
  }
  const auto used =
      use({reading->topic, reading->partition, offset, view(message.key, message.key_len),
           view(message.payload, message.len), headers_});
  if (offset + 1 >= reading->end) finish(*reading);
  return used;
}

TopicScan::Reading* TopicScan::reading_of(const rd_kafka_message_t& message) {
  if (message.rkt == nullptr || message.partition < 0) return nullptr;
  const std::string_view name = rd_kafka_topic_name(message.rkt);
  const auto topic = std::find(names_.begin(), names_.end(), name);
  if (topic == names_.end()) return nullptr;
  auto& readings = readings_[static_cast<size_t>(topic - names_.begin())];
  const auto partition = static_cast<size_t>(message.partition);
  return partition < readings.size() ? &readings[partition] : nullptr;
}

// Nothing more is fetched of a partition that goes on growing.
void TopicScan::finish(Reading& reading) {
  reading.done = true;
  --open_;
  last_came_ = steady_clock::now();
  const PartitionsHandle one(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(one.get(), names_[reading.topic].c_str(),
                                    static_cast<int32_t>(reading.partition));
  static_cast<void>(rd_kafka_pause_partitions(client_.get(), one.get()));
}

}  // namespace outbox::kafka
