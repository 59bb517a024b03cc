#include "connectors/kafka/admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
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

constexpr size_t kReasonBytes = 512;
// Settings sharpen what is refused beforehand; nothing waits long for them.
constexpr Admin::Timeout kSettingsPatience(400);
constexpr Admin::Timeout kSettingsPatienceAgain(150);

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Kafka's "no limit" is the largest 64-bit number; a Duration holds a 292nd part of it.
core::Duration duration_of_ms(int64_t ms) {
  constexpr int64_t kMostMs =
      std::chrono::duration_cast<std::chrono::milliseconds>(core::Duration::max()).count();
  return ms >= kMostMs ? core::Duration::max() : core::Duration(std::chrono::milliseconds(ms));
}

void take_setting(TopicFacts& facts, std::string_view name, std::string_view value) {
  if (name == "max.message.bytes") {
    if (const auto bytes = number_of<size_t>(value)) facts.record_bytes_max = *bytes;
  } else if (name == "cleanup.policy") {
    facts.compacted = value.find("compact") != std::string_view::npos;
  } else if (name == "message.timestamp.type") {
    facts.log_append_time = value == "LogAppendTime";
  } else if (name == "message.timestamp.after.max.ms") {
    if (const auto ms = number_of<int64_t>(value)) facts.timestamp_ahead_max = duration_of_ms(*ms);
  }
}

// Segments go once all in them is older than retention.ms, or when there is too much.
struct Retention {
  std::optional<int64_t> ms;
  std::optional<int64_t> bytes;

  void take(std::string_view name, std::string_view value) {
    if (name == "retention.ms") ms = number_of<int64_t>(value);
    if (name == "retention.bytes") bytes = number_of<int64_t>(value);
  }
  std::optional<std::chrono::milliseconds> kept_for() const {
    if (!ms || !bytes || *bytes >= 0) return std::nullopt;
    return *ms < 0 ? std::chrono::milliseconds::max() : std::chrono::milliseconds(*ms);
  }
};

// Brokers before 3.6 have one setting for both directions, without a limit by default.
void take_settings(TopicFacts& facts, const rd_kafka_ConfigResource_t* resource) {
  size_t count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(resource, &count);
  bool one_direction = false;
  std::optional<int64_t> both_directions_ms;
  Retention retention;
  for (size_t i = 0; i < count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value == nullptr) continue;
    const std::string_view name = rd_kafka_ConfigEntry_name(entries[i]);
    if (name == "message.timestamp.after.max.ms") one_direction = true;
    if (name == "message.timestamp.difference.max.ms") {
      both_directions_ms = number_of<int64_t>(value);
    }
    take_setting(facts, name, value);
    retention.take(name, value);
  }
  facts.kept_for = retention.kept_for();
  if (!one_direction && both_directions_ms) {
    facts.timestamp_ahead_max = duration_of_ms(*both_directions_ms);
  }
  // With the broker's own clock, ours is never looked at.
  if (facts.log_append_time) facts.timestamp_ahead_max = core::Duration::max();
  facts.settings_read = true;
}

Admin::Timeout left_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<Admin::Timeout>(deadline - steady_clock::now());
  return std::max(left, Admin::Timeout(0));
}

}  // namespace

Result<std::unique_ptr<Admin>> Admin::make(const ClientOptions& options, Reconnects reconnects) {
  auto conf = asking_conf(options, reconnects);
  if (!conf) return conf.error();
  auto client = make_client(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!client) return client.error();
  return std::make_unique<Admin>(std::move(*client));
}

Admin::Admin(ClientHandle client)
    : client_(std::move(client)),
      main_(rd_kafka_queue_get_main(client_.get())),
      answers_(rd_kafka_queue_new(client_.get())) {}

void Admin::note(rd_kafka_event_t* event) {
  if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR) return;
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  // "All brokers are down" comes on top of the reason and says less.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !trouble_.empty()) return;
  trouble_ = describe_trouble(error, rd_kafka_event_error_string(event));
  not_let_in_ = is_not_let_in(error);
}

void Admin::note_pending() {
  while (EventHandle event{rd_kafka_queue_poll(main_.get(), 0)}) note(event.get());
}

std::string Admin::reason_of(rd_kafka_resp_err_t error) {
  note_pending();
  return trouble_.empty() ? std::string(rd_kafka_err2str(error)) : trouble_;
}

Result<ClusterFacts> Admin::cluster(Timeout timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  // No topic is asked for: rd_kafka_metadata() without "all" and without a topic names those that
  // the client knows, and this client keeps none.
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client_.get(), 0, nullptr, &raw, static_cast<int>(timeout.count()));
  const MetadataHandle metadata(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Error{Fault::retry,
                 error_name(error),
                 "ask the Kafka cluster",
                 "",
                 reason_of(error),
                 "Check bootstrap_servers, and that a broker listens there"};
  }
  trouble_.clear();
  not_let_in_ = false;
  ClusterFacts facts;
  if (char* id = rd_kafka_clusterid(client_.get(), 0)) {
    facts.cluster_id = id;
    rd_kafka_mem_free(client_.get(), id);
  }
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    const rd_kafka_metadata_broker_t& broker = metadata->brokers[i];
    facts.brokers.push_back(
        Broker{broker.id, std::string(broker.host) + ":" + std::to_string(broker.port)});
  }
  return facts;
}

TopicFacts Admin::topic(const std::string& name, Timeout timeout) {
  TopicFacts facts;
  facts.topic = name;
  const auto deadline = steady_clock::now() + timeout;
  const TopicHandle topic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
  OUTBOX_ASSERT(topic != nullptr);
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client_.get(), 0, topic.get(), &raw, static_cast<int>(timeout.count()));
  const MetadataHandle metadata(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
    facts.reason = reason_of(error);
    return facts;
  }
  trouble_.clear();
  not_let_in_ = false;
  const rd_kafka_metadata_topic_t& answer = metadata->topics[0];
  switch (answer.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      facts.answer = answer.partition_cnt > 0 ? TopicAnswer::found : TopicAnswer::unreachable;
      facts.partitions = static_cast<uint32_t>(answer.partition_cnt);
      break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      facts.answer = TopicAnswer::missing;
      break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      facts.answer = TopicAnswer::denied;
      break;
    default:
      facts.reason = rd_kafka_err2str(answer.err);
  }
  if (facts.answer == TopicAnswer::found) read_settings(facts, left_until(deadline));
  return facts;
}

void Admin::read_settings(TopicFacts& facts, Timeout timeout) {
  const ConfigResourceHandle resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, facts.topic.c_str()));
  const AdminOptionsHandle options(
      rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  std::array<char, kReasonBytes> ignored{};
  // A cluster that cannot describe (librdkafka's mock) never answers; it costs its patience once.
  timeout = std::min(timeout, settings_unanswered_ ? kSettingsPatienceAgain : kSettingsPatience);
  const int timeout_ms = std::max(1, static_cast<int>(timeout.count()));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, ignored.data(),
                                            ignored.size());
  rd_kafka_ConfigResource_t* asked = resource.get();
  rd_kafka_DescribeConfigs(client_.get(), &asked, 1, options.get(), answers_.get());
  const EventHandle event = wait_for(RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, timeout);
  settings_unanswered_ =
      event == nullptr || rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR__TIMED_OUT;
  if (event == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const auto* result = rd_kafka_event_DescribeConfigs_result(event.get());
  size_t count = 0;
  const auto** resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (count == 1 && rd_kafka_ConfigResource_error(resources[0]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    take_settings(facts, resources[0]);
  }
}

Result<void> Admin::create_topic(const std::string& name, uint32_t partitions,
                                 size_t record_bytes_max, Timeout timeout) {
  std::array<char, kReasonBytes> reason{};
  const NewTopicHandle topic(rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(partitions), -1,
                                                   reason.data(), reason.size()));
  const auto refused = [&name](rd_kafka_resp_err_t error, std::string detail, Fault fault) {
    return Error{fault, error_name(error), "create topic", name, std::move(detail), ""};
  };
  if (topic == nullptr) {
    return refused(RD_KAFKA_RESP_ERR__INVALID_ARG, reason.data(), Fault::reject);
  }
  rd_kafka_NewTopic_set_config(topic.get(), "max.message.bytes",
                               std::to_string(record_bytes_max).c_str());
  rd_kafka_NewTopic_t* asked = topic.get();
  const AdminOptionsHandle options(
      rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  const int timeout_ms = static_cast<int>(timeout.count());
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, reason.data(),
                                            reason.size());
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, reason.data(),
                                              reason.size());
  rd_kafka_CreateTopics(client_.get(), &asked, 1, options.get(), answers_.get());
  const EventHandle event = wait_for(RD_KAFKA_EVENT_CREATETOPICS_RESULT, timeout);
  if (event == nullptr) {
    return refused(RD_KAFKA_RESP_ERR__TIMED_OUT, reason_of(RD_KAFKA_RESP_ERR__TIMED_OUT),
                   Fault::retry);
  }
  if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return refused(error, reason_of(error), Fault::retry);
  }
  size_t count = 0;
  const auto** topics =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  const rd_kafka_resp_err_t error =
      count == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    return {};
  }
  const char* text = count == 1 ? rd_kafka_topic_result_error_string(topics[0]) : nullptr;
  return refused(error, text != nullptr ? text : rd_kafka_err2str(error),
                 is_passing(error) ? Fault::retry : Fault::reject);
}

EventHandle Admin::wait_for(rd_kafka_event_type_t type, Timeout timeout) {
  const auto deadline = steady_clock::now() + timeout;
  for (;;) {
    EventHandle event(
        rd_kafka_queue_poll(answers_.get(), static_cast<int>(left_until(deadline).count())));
    // Late answers of an earlier question, which nobody waits for any more, are dropped.
    if (event == nullptr || rd_kafka_event_type(event.get()) == type) return event;
  }
}

}  // namespace outbox::kafka
