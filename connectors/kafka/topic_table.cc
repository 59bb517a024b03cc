#include "connectors/kafka/topic_table.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/limits.h"

namespace outbox::kafka {
namespace {

using core::Destination;
using core::DestinationState;

constexpr std::chrono::seconds kDeniedFor(30);

// What the relay adds to Event::bytes() at the least: the names of its five headers (33), the id's
// text beyond its 16 bytes (20), position and epoch (6), lengths (17), the batch's own header (61).
// At the least, since a refusal must be certain; what is a few bytes over is refused by the broker.
constexpr size_t kRecordOverheadBytes = 137;

}  // namespace

bool legal_topic_name(std::string_view name) {
  if (name.empty() || name.size() > core::kTopicNameMax || name == "." || name == "..") {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

TopicTable::TopicTable(Options options)
    : options_(std::move(options)), mailbox_(std::make_shared<TopicMailbox>(options_.wakeup)) {}

Destination& TopicTable::destination(std::string_view name, std::optional<MakeTopic> make) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) return at(known->second);
  const auto id = static_cast<uint32_t>(topics_.size());
  Topic& topic = topics_.emplace_back();
  by_name_.emplace(std::string(name), id);
  topic.destination.name = name;
  topic.destination.id = id;
  topic.destination.record_overhead_bytes = kRecordOverheadBytes;
  if (legal_topic_name(name)) {
    topic.watched = true;
    options_.watch->watch(topic.destination.name, mailbox_, make);
  } else {
    topic.destination.state = DestinationState::missing;
  }
  return topic.destination;
}

void TopicTable::poll(core::Now now, const std::function<void(uint32_t)>& changed) {
  mailbox_->take(answers_);
  for (TopicFacts& answer : answers_) {
    const auto found = by_name_.find(answer.topic);
    OUTBOX_ASSERT(found != by_name_.end());
    take(topics_[found->second], std::move(answer), now);
    changed(found->second);
  }
  answers_.clear();
}

void TopicTable::take(Topic& topic, TopicFacts facts, core::Now now) {
  Destination& destination = topic.destination;
  switch (facts.answer) {
    case TopicAnswer::unreachable:
      topic.facts.reason = std::move(facts.reason);
      return;
    case TopicAnswer::missing:
      destination.state = DestinationState::missing;
      break;
    case TopicAnswer::denied:
      destination.state = DestinationState::denied;
      break;
    case TopicAnswer::found: {
      const bool denied = now.instant < topic.denied_until;
      destination.state = denied ? DestinationState::denied : DestinationState::usable;
      // Settings that we may not read refuse nothing beforehand.
      const bool limit_known = facts.settings_read && !options_.compressed;
      destination.record_bytes_max = limit_known ? facts.record_bytes_max : 0;
      destination.timestamp_ahead_max =
          facts.settings_read ? facts.timestamp_ahead_max : core::Duration::max();
      destination.key_required = facts.compacted;
      if (!facts.settings_read && topic.facts.answer != TopicAnswer::found && options_.log) {
        options_.log(5, "the settings of topic \"" + facts.topic +
                            "\" cannot be read (needs DescribeConfigs): Kafka's defaults are "
                            "assumed");
      }
      break;
    }
  }
  topic.facts = std::move(facts);
  ++destination.reads;
}

void TopicTable::distrust(uint32_t id, bool denied, core::Now now) {
  Topic& topic = topics_[id];
  if (denied) {
    topic.destination.state = DestinationState::denied;
    topic.denied_until = now.instant + kDeniedFor;
  } else {
    topic.destination.state = DestinationState::unknown;
  }
  look_again(id);
}

void TopicTable::look_again(uint32_t id) {
  options_.watch->look_again(topics_[id].destination.name);
}

bool TopicTable::recheck(uint32_t id) {
  if (!topics_[id].watched) return false;
  topics_[id].denied_until = {};
  look_again(id);
  return true;
}

void TopicTable::probe() {
  for (const Topic& topic : topics_) {
    if (!topic.watched) continue;
    options_.watch->look_again(topic.destination.name);
    return;
  }
  options_.watch->look_at_cluster();
}

std::optional<size_t> TopicTable::smallest_record_bytes_max() const {
  std::optional<size_t> smallest;
  for (const Topic& topic : topics_) {
    if (topic.facts.answer != TopicAnswer::found) continue;
    smallest =
        std::min(smallest.value_or(topic.facts.record_bytes_max), topic.facts.record_bytes_max);
  }
  return smallest;
}

size_t TopicTable::unknown_count() const {
  return static_cast<size_t>(std::count_if(topics_.begin(), topics_.end(), [](const Topic& topic) {
    return topic.destination.state == DestinationState::unknown;
  }));
}

}  // namespace outbox::kafka
