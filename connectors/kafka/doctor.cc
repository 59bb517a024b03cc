// What `outbox doctor` says of Kafka.

#include <set>

#include "connectors/kafka/kafka.h"
#include "connectors/kafka/topic_table.h"

namespace outbox::kafka {
namespace {

using Level = Observation::Level;

constexpr size_t kDefaultRecordBytesMax = 1'048'588;

std::string create_hint(const std::string& topic, const std::string& bootstrap_servers) {
  return "kafka-topics.sh --bootstrap-server " + bootstrap_servers + " --create --topic " + topic;
}

std::string acl_hint(const std::string& topic, const std::string& bootstrap_servers) {
  return "kafka-acls.sh --bootstrap-server " + bootstrap_servers +
         " --add --allow-principal User:<relay> --operation Write --operation Describe"
         " --operation DescribeConfigs --topic " +
         topic;
}

Observation look_at_topic(Admin& admin, const std::string& topic, const ClientOptions& options,
                          std::chrono::milliseconds timeout) {
  if (!legal_topic_name(topic)) {
    return {Level::error, "\"" + topic + "\" is no topic name: 1 to 249 of [a-zA-Z0-9._-]", ""};
  }
  const TopicFacts facts = admin.topic(topic, timeout);
  switch (facts.answer) {
    case TopicAnswer::found:
      break;
    case TopicAnswer::missing:
      return {Level::error,
              "topic \"" + topic + "\" does not exist: its events become dead letters",
              create_hint(topic, options.bootstrap_servers)};
    case TopicAnswer::denied:
      return {Level::error, "the relay may not see topic \"" + topic + "\"",
              acl_hint(topic, options.bootstrap_servers)};
    case TopicAnswer::unreachable:
      return {Level::unreachable, "topic \"" + topic + "\": " + facts.reason, ""};
  }
  if (!facts.settings_read) {
    return {Level::warn,
            "the settings of topic \"" + topic +
                "\" cannot be read: a record too large for it is "
                "found only by the broker's refusal",
            acl_hint(topic, options.bootstrap_servers)};
  }
  std::string what = "topic \"" + topic + "\": " + std::to_string(facts.partitions) +
                     " partitions, max.message.bytes " + std::to_string(facts.record_bytes_max);
  if (facts.log_append_time) {
    return {Level::warn,
            what + ", message.timestamp.type LogAppendTime: records do not show their commit time",
            "kafka-configs.sh --bootstrap-server " + options.bootstrap_servers +
                " --alter --entity-type topics --entity-name " + topic +
                " --add-config message.timestamp.type=CreateTime"};
  }
  if (facts.compacted) what += ", compacted: events without a key become dead letters";
  if (facts.record_bytes_max < kDefaultRecordBytesMax) {
    return {Level::warn, what + ": every batch of this pipeline is kept that small", ""};
  }
  return {Level::ok, what, ""};
}

Observation look_at_dead_letters(Admin& admin, const std::string& topic,
                                 const ClientOptions& options, std::chrono::milliseconds timeout) {
  const TopicFacts facts = admin.topic(topic, timeout);
  if (facts.answer == TopicAnswer::unreachable) {
    return {Level::unreachable, "topic \"" + topic + "\": " + facts.reason, ""};
  }
  if (facts.answer == TopicAnswer::missing) {
    return {Level::ok, "topic \"" + topic + "\" does not exist yet: `outbox run` makes it", ""};
  }
  if (const auto fault = dead_letter_fault(facts, options.bootstrap_servers)) {
    return {Level::error, fault->op + " " + fault->subject + ": " + fault->detail, fault->hint};
  }
  return {Level::ok, "topic \"" + topic + "\" can hold dead letters", ""};
}

}  // namespace

std::vector<Observation> look_at_cluster(const ClientOptions& options, const std::string& pipeline,
                                         const std::vector<std::string>& topics,
                                         std::chrono::milliseconds timeout) {
  auto admin = Admin::make(options, Reconnects::fast);
  if (!admin) return {{Level::error, core::to_string(admin.error()), ""}};
  const auto cluster = (*admin)->cluster(timeout);
  if (!cluster) {
    return {{Level::unreachable,
             "no broker of " + options.bootstrap_servers + " answers: " + cluster.error().detail,
             cluster.error().hint}};
  }
  std::string brokers;
  for (const Broker& broker : cluster->brokers) {
    brokers += (brokers.empty() ? "" : ", ") + broker.address;
  }
  std::vector<Observation> seen{
      {Level::ok, "cluster " + cluster->cluster_id + ", brokers " + brokers, ""}};
  std::set<std::string> dead_letters{dead_letter_topic(nullptr, pipeline)};
  for (const std::string& topic : topics) {
    seen.push_back(look_at_topic(**admin, topic, options, timeout));
    core::Destination destination;
    destination.name = topic;
    dead_letters.insert(dead_letter_topic(&destination, pipeline));
  }
  for (const std::string& topic : dead_letters) {
    seen.push_back(look_at_dead_letters(**admin, topic, options, timeout));
  }
  return seen;
}

}  // namespace outbox::kafka
