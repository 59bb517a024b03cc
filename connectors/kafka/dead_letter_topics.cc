#include "connectors/kafka/dead_letter_topics.h"

#include <set>
#include <utility>

#include "connectors/kafka/topic_table.h"

namespace outbox::kafka {
namespace {

using core::DestinationState;
using core::Error;
using core::Fault;
using core::Result;

std::string create_command(const std::string& topic, const std::string& bootstrap_servers) {
  return "kafka-topics.sh --bootstrap-server " + bootstrap_servers + " --create --topic " + topic +
         " --partitions 1 --config max.message.bytes=" +
         std::to_string(core::kDeadLetterRecordBytesMax);
}

std::string enlarge_command(const std::string& topic, const std::string& bootstrap_servers) {
  return "kafka-configs.sh --bootstrap-server " + bootstrap_servers +
         " --alter --entity-type topics --entity-name " + topic +
         " --add-config max.message.bytes=" + std::to_string(core::kDeadLetterRecordBytesMax);
}

Error fault(const std::string& topic, std::string detail, std::string hint) {
  return Error{Fault::fatal, "DEAD_LETTER_TOPIC", "use the dead-letter topic",
               topic,        std::move(detail),   std::move(hint)};
}

TopicFacts find_or_make(Admin& admin, const std::string& topic, std::chrono::milliseconds timeout) {
  TopicFacts facts = admin.topic(topic, timeout);
  if (facts.answer != TopicAnswer::missing) return facts;
  const MakeTopic make = make_dead_letter_topic();
  const auto made = admin.create_topic(topic, make.partitions, make.record_bytes_max, timeout);
  if (!made) {
    facts.reason = made.error().detail + " (" + made.error().code + ")";
    if (made.error().fault == Fault::retry) facts.answer = TopicAnswer::unreachable;
    return facts;
  }
  // The broker that answers may not have heard of it yet; what we asked for is what it is.
  facts.answer = TopicAnswer::found;
  facts.partitions = make.partitions;
  facts.record_bytes_max = make.record_bytes_max;
  facts.settings_read = true;
  return facts;
}

}  // namespace

std::string dead_letter_topic(const core::Destination* destination, const std::string& pipeline) {
  const std::string own = pipeline + std::string(kDeadLetterSuffix);
  if (destination == nullptr || destination->state == DestinationState::missing ||
      destination->state == DestinationState::denied) {
    return own;
  }
  std::string name = destination->name + std::string(kDeadLetterSuffix);
  return legal_topic_name(name) ? name : own;
}

MakeTopic make_dead_letter_topic() { return MakeTopic{1, core::kDeadLetterRecordBytesMax}; }

std::optional<Error> dead_letter_fault(const TopicFacts& facts,
                                       const std::string& bootstrap_servers) {
  switch (facts.answer) {
    case TopicAnswer::found:
      if (!facts.settings_read || facts.record_bytes_max >= kDeadLetterRecordBytesMin) {
        return std::nullopt;
      }
      return fault(facts.topic,
                   "its max.message.bytes is " + std::to_string(facts.record_bytes_max) +
                       ", and the largest row needs " + std::to_string(kDeadLetterRecordBytesMin),
                   "Raise it: " + enlarge_command(facts.topic, bootstrap_servers));
    case TopicAnswer::missing:
      return fault(facts.topic,
                   "it does not exist and cannot be made" +
                       (facts.reason.empty() ? std::string() : ": " + facts.reason),
                   "Create it: " + create_command(facts.topic, bootstrap_servers));
    case TopicAnswer::denied:
      return fault(facts.topic, "the relay may not use it",
                   "Allow it: kafka-acls.sh --bootstrap-server " + bootstrap_servers +
                       " --add --allow-principal User:<relay> --operation Write --operation "
                       "Describe --topic " +
                       facts.topic);
    case TopicAnswer::unreachable:
      return std::nullopt;
  }
  return std::nullopt;
}

Result<void> prepare_dead_letters(const ClientOptions& options, const std::string& pipeline,
                                  const std::vector<std::string>& topics,
                                  std::chrono::milliseconds timeout) {
  auto admin = Admin::make(options, Reconnects::fast);
  if (!admin) return admin.error();
  std::set<std::string> names{dead_letter_topic(nullptr, pipeline)};
  for (const std::string& topic : topics) {
    core::Destination destination;
    destination.name = topic;
    names.insert(dead_letter_topic(&destination, pipeline));
  }
  std::optional<Error> first;
  for (const std::string& name : names) {
    const TopicFacts facts = find_or_make(**admin, name, timeout);
    if (facts.answer == TopicAnswer::unreachable) {
      return Error{Fault::retry,
                   (*admin)->not_let_in() ? "NOT_LET_IN" : "KAFKA_UNREACHABLE",
                   "look at the dead-letter topic",
                   name,
                   facts.reason,
                   ""};
    }
    auto found = dead_letter_fault(facts, options.bootstrap_servers);
    if (!found) continue;
    if (!first) {
      first = std::move(found);
    } else {
      first->hint += "\n" + core::to_string(*found);
    }
  }
  if (first) return *first;
  return {};
}

}  // namespace outbox::kafka
