#pragma once
// TopicWatch: knows what the cluster says of the topics that somebody is interested in, and asks
// again: every half minute for what is there, every few seconds for what is missing, so that a
// topic made later is found. Shared by a pipeline's sink and journal: one client, one thread.
//
// A topic counts as missing (or denied) only after two such answers at least a second apart: a
// cluster that just started, or a single broker with old metadata, may not know a topic for a
// moment. Unreachable is no answer.
//
// Thread: all public calls from any thread; none waits. Answers are put into Mailboxes.

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/properties.h"
#include "connectors/kafka/wakeup.h"
#include "relay/core/clock.h"

namespace outbox::kafka {

/// Where answers for one sink wait until its next poll.
class TopicMailbox {
 public:
  /// `wakeup` is signalled with each answer and outlives the mailbox's last user.
  explicit TopicMailbox(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

  void put(TopicFacts facts);
  /// Moves what is there to `facts`; cheap when nothing is.
  void take(std::vector<TopicFacts>& facts);

 private:
  std::shared_ptr<Wakeup> wakeup_;
  std::atomic<bool> filled_ = false;
  std::mutex mutex_;
  std::vector<TopicFacts> facts_;
};

/// How a missing topic is made. Only dead-letter topics are.
struct MakeTopic {
  uint32_t partitions = 1;
  size_t record_bytes_max = 0;
};

class TopicWatch {
 public:
  explicit TopicWatch(std::shared_ptr<const ClientOptions> options);
  ~TopicWatch();  // waits for the question under way, at most about a second
  TopicWatch(const TopicWatch&) = delete;
  TopicWatch& operator=(const TopicWatch&) = delete;

  /// Every answer about `topic` from now on goes to `mailbox`. With `make`, a missing topic is
  /// made; where that is refused for good the answer is `missing` with the reason.
  void watch(const std::string& topic, std::shared_ptr<TopicMailbox> mailbox,
             std::optional<MakeTopic> make = std::nullopt);

  /// Asks about a watched topic again, soon.
  void look_again(const std::string& topic);

  /// Asks the cluster whether it answers, soon: for a sink that has no topic yet.
  void look_at_cluster();

  /// When the cluster last answered anything.
  std::optional<core::Instant> answered_at() const;

  /// The newest trouble with connections; empty after an answer.
  std::string trouble() const;
  /// The trouble is a refused password or certificate.
  bool not_let_in() const { return not_let_in_; }

 private:
  struct Entry {
    std::vector<std::shared_ptr<TopicMailbox>> mailboxes;
    std::optional<MakeTopic> make;
    core::Instant ask_at{};
    core::Instant asked_at{};
    // The kind of bad answer that waits for its second, and when the first came.
    std::optional<TopicAnswer> doubtful;
    core::Instant doubtful_since{};
  };

  void run(const std::stop_token& stop);
  std::map<std::string, Entry>::iterator earliest();
  TopicFacts ask(const std::string& topic, const std::optional<MakeTopic>& make);
  bool cluster_answers();
  bool make_topic(TopicFacts& facts, const MakeTopic& make);
  void file(Entry& entry, TopicFacts facts, core::Instant now);
  void note_reachable(bool reachable, core::Instant now);
  bool ready_admin();

  const std::shared_ptr<const ClientOptions> options_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Entry> topics_;  // guarded by mutex_
  bool cluster_wanted_ = false;          // guarded by mutex_
  std::string trouble_;                  // guarded by mutex_
  std::atomic<int64_t> answered_at_ = 0;
  std::atomic<bool> not_let_in_ = false;

  // The thread's own.
  std::unique_ptr<Admin> admin_;
  Reconnects reconnects_ = Reconnects::fast;
  std::optional<core::Instant> unreachable_since_;
  core::Instant made_at_{};  // admin_

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace outbox::kafka
