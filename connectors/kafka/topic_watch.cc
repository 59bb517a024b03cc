#include "connectors/kafka/topic_watch.h"

#include <algorithm>
#include <utility>

#include "connectors/kafka/kafka_outcome.h"
#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kPatience(1'000);
constexpr milliseconds kMakePatience(5'000);
constexpr seconds kAskAgainFound(30);
constexpr seconds kAskAgainUnread(10);
constexpr seconds kAskAgainMissing(3);
constexpr seconds kAskAgainUnreachable(1);
constexpr milliseconds kSecondOpinion(1'100);
/// A topic is looked at again on demand at most this often.
constexpr milliseconds kLookAgain(300);
constexpr seconds kNewClientWhenLost(8);
constexpr seconds kNewClientWhenLockedOut(30);

}  // namespace

void TopicMailbox::put(TopicFacts facts) {
  {
    const std::lock_guard lock(mutex_);
    facts_.push_back(std::move(facts));
    filled_ = true;
  }
  wakeup_->signal();
}

void TopicMailbox::take(std::vector<TopicFacts>& facts) {
  if (!filled_) return;
  const std::lock_guard lock(mutex_);
  facts.swap(facts_);
  facts_.clear();
  filled_ = false;
}

TopicWatch::TopicWatch(std::shared_ptr<const ClientOptions> options)
    : options_(std::move(options)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

TopicWatch::~TopicWatch() {
  thread_.request_stop();
  changed_.notify_all();
}

void TopicWatch::watch(const std::string& topic, std::shared_ptr<TopicMailbox> mailbox,
                       std::optional<MakeTopic> make) {
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = topics_[topic];
    entry.mailboxes.push_back(std::move(mailbox));
    if (make) entry.make = make;
    entry.ask_at = Instant{};
  }
  changed_.notify_all();
}

void TopicWatch::look_again(const std::string& topic) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = topics_.find(topic);
    OUTBOX_ASSERT(found != topics_.end());
    found->second.ask_at = std::min(found->second.ask_at, found->second.asked_at + kLookAgain);
  }
  changed_.notify_all();
}

void TopicWatch::look_at_cluster() {
  {
    const std::lock_guard lock(mutex_);
    cluster_wanted_ = true;
  }
  changed_.notify_all();
}

std::optional<Instant> TopicWatch::answered_at() const {
  const int64_t ticks = answered_at_;
  if (ticks == 0) return std::nullopt;
  return Instant(core::Duration(ticks));
}

std::string TopicWatch::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

std::map<std::string, TopicWatch::Entry>::iterator TopicWatch::earliest() {
  return std::min_element(topics_.begin(), topics_.end(), [](const auto& a, const auto& b) {
    return a.second.ask_at < b.second.ask_at;
  });
}

void TopicWatch::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (std::exchange(cluster_wanted_, false)) {
      lock.unlock();
      const bool answers = cluster_answers();
      const Instant now = steady_clock::now();
      lock.lock();
      note_reachable(answers, now);
      continue;
    }
    const auto next = earliest();
    if (next == topics_.end()) {
      changed_.wait(lock, stop, [this] { return cluster_wanted_ || !topics_.empty(); });
      continue;
    }
    if (const Instant due = next->second.ask_at; due > steady_clock::now()) {
      changed_.wait_until(lock, stop, due, [this, due] {
        return cluster_wanted_ || earliest()->second.ask_at < due;
      });
      continue;
    }
    const std::string topic = next->first;
    const std::optional<MakeTopic> make = next->second.make;
    next->second.asked_at = steady_clock::now();
    lock.unlock();
    TopicFacts facts = ask(topic, make);
    const Instant now = steady_clock::now();
    lock.lock();
    note_reachable(facts.answer != TopicAnswer::unreachable, now);
    file(topics_.at(topic), std::move(facts), now);
  }
}

// A client keeps what it was made of: the certificates as they were, the addresses that it learned.
// So one that gets no answers is replaced now and then, and one that is let in no more by one that
// asks less often.
bool TopicWatch::ready_admin() {
  const bool locked_out = not_let_in_ && reconnects_ == Reconnects::fast;
  const bool let_in_again = reconnects_ == Reconnects::slow && !unreachable_since_;
  const seconds patience =
      reconnects_ == Reconnects::slow ? kNewClientWhenLockedOut : kNewClientWhenLost;
  const bool no_answers = unreachable_since_ && steady_clock::now() - made_at_ >= patience &&
                          steady_clock::now() - *unreachable_since_ >= patience;
  if (admin_ && !locked_out && !let_in_again && !no_answers) return true;
  reconnects_ = not_let_in_ ? Reconnects::slow : Reconnects::fast;
  made_at_ = steady_clock::now();
  admin_.reset();
  auto made = Admin::make(*options_, reconnects_);
  if (made) admin_ = std::move(*made);
  return made.ok();
}

TopicFacts TopicWatch::ask(const std::string& topic, const std::optional<MakeTopic>& make) {
  TopicFacts facts;
  facts.topic = topic;
  if (!ready_admin()) {
    facts.reason = "no Kafka client can be made of the sink's properties";
    return facts;
  }
  facts = admin_->topic(topic, kPatience);
  if (facts.answer == TopicAnswer::missing && make && make_topic(facts, *make)) {
    facts = admin_->topic(topic, kPatience);
    // Made a moment ago, and not known everywhere yet.
    if (facts.answer == TopicAnswer::missing) facts.answer = TopicAnswer::unreachable;
  }
  not_let_in_ = admin_->not_let_in();
  return facts;
}

bool TopicWatch::cluster_answers() {
  if (!ready_admin()) return false;
  const bool answers = admin_->cluster(kPatience).ok();
  not_let_in_ = admin_->not_let_in();
  return answers;
}

bool TopicWatch::make_topic(TopicFacts& facts, const MakeTopic& make) {
  const auto made =
      admin_->create_topic(facts.topic, make.partitions, make.record_bytes_max, kMakePatience);
  if (made) return true;
  facts.reason = made.error().detail + " (" + made.error().code + ")";
  if (made.error().fault == core::Fault::retry) facts.answer = TopicAnswer::unreachable;
  return false;
}

void TopicWatch::note_reachable(bool reachable, Instant now) {
  if (reachable) {
    answered_at_ = now.time_since_epoch().count();
    unreachable_since_.reset();
    trouble_.clear();
    return;
  }
  if (!unreachable_since_) unreachable_since_ = now;
  if (admin_ && !admin_->trouble().empty()) trouble_ = admin_->trouble();
}

void TopicWatch::file(Entry& entry, TopicFacts facts, Instant now) {
  switch (facts.answer) {
    case TopicAnswer::found:
      entry.doubtful.reset();
      entry.ask_at = now + (facts.settings_read ? kAskAgainFound : kAskAgainUnread);
      break;
    case TopicAnswer::unreachable:
      // The others wait with it: each would cost the same patience.
      for (auto& [name, other] : topics_)
        other.ask_at = std::max(other.ask_at, now + kAskAgainUnreachable);
      break;
    case TopicAnswer::missing:
    case TopicAnswer::denied:
      if (entry.doubtful != facts.answer) {
        entry.doubtful = facts.answer;
        entry.doubtful_since = now;
      }
      if (now - entry.doubtful_since < seconds(1)) {
        entry.ask_at = entry.doubtful_since + kSecondOpinion;
        return;
      }
      entry.ask_at = now + kAskAgainMissing;
      break;
  }
  for (const auto& mailbox : entry.mailboxes) mailbox->put(facts);
}

}  // namespace outbox::kafka
