#pragma once
// TopicTable: the destinations of one sink and what the TopicWatch said of them last. Owned by a
// sink; the pipeline's thread. Destinations keep their address.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/topic_watch.h"
#include "connectors/kafka/wakeup.h"
#include "relay/core/clock.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

/// Kafka's rules for names: 1-249 of [a-zA-Z0-9._-], neither "." nor "..".
bool legal_topic_name(std::string_view name);

class TopicTable {
 public:
  struct Options {
    std::shared_ptr<TopicWatch> watch;
    std::shared_ptr<Wakeup> wakeup;
    /// Brokers compare their limit with the compressed batch, so that a large record may fit.
    bool compressed = false;
    LogFunction log;
  };

  explicit TopicTable(Options options);

  /// The destination called `name`; asked for when it is new. A name that no broker takes is
  /// `missing` at once. `make`: as TopicWatch::watch().
  core::Destination& destination(std::string_view name,
                                 std::optional<MakeTopic> make = std::nullopt);
  core::Destination& at(uint32_t id) { return topics_[id].destination; }
  const TopicFacts& facts(uint32_t id) const { return topics_[id].facts; }
  size_t size() const { return topics_.size(); }

  /// Takes in new answers and calls `changed(id)` for each topic that one came for.
  void poll(core::Now now, const std::function<void(uint32_t)>& changed);

  /// A broker said that it does not know the topic, or that we may not write to it.
  void distrust(uint32_t id, bool denied, core::Now now);
  /// What is known of the topic may be old.
  void look_again(uint32_t id);
  /// The same, and a refused right may have been granted. False: its name is none.
  bool recheck(uint32_t id);
  /// Asks about some topic, to see whether the cluster answers.
  void probe();

  /// Smallest limit of a batch among the topics that can be used; nullopt when none is known.
  std::optional<size_t> smallest_record_bytes_max() const;
  /// Destinations that nothing is known of yet.
  size_t unknown_count() const;
  TopicWatch& watch() const { return *options_.watch; }

 private:
  struct Topic {
    core::Destination destination;
    TopicFacts facts;
    bool watched = false;
    /// Describing may be allowed where writing is not: `denied` stays for a while.
    core::Instant denied_until{};
  };

  void take(Topic& topic, TopicFacts facts, core::Now now);

  Options options_;
  std::shared_ptr<TopicMailbox> mailbox_;
  std::deque<Topic> topics_;
  std::map<std::string, uint32_t, std::less<>> by_name_;
  std::vector<TopicFacts> answers_;  // reused
};

}  // namespace outbox::kafka
