#include "connectors/kafka/reachability.h"

#include <algorithm>

namespace outbox::kafka {
namespace {

using core::Health;
using core::HealthState;
using core::Now;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kProbeEvery(1);
/// A producer finds a broker that came back within a second or two; one that does not is lost.
constexpr seconds kLostAfter(5);

}  // namespace

void Reachability::poll(Conveyor& conveyor, TopicTable& topics, Now now) {
  const auto& trouble = conveyor.trouble();
  if (!trouble) return;
  if (now.instant >= probe_at_) {
    probe_at_ = now.instant + kProbeEvery;
    topics.probe();
  }
  if (trouble->not_let_in && reconnects_ == Reconnects::fast) {
    reconnects_ = Reconnects::slow;
    conveyor.set_reconnects(reconnects_);
    conveyor.start_over(now);
    return;
  }
  const auto answered_at = topics.watch().answered_at();
  if (!answered_at || *answered_at < trouble->since) return;
  if (reconnects_ == Reconnects::slow) {
    reconnects_ = Reconnects::fast;
    conveyor.set_reconnects(reconnects_);
    conveyor.start_over(now);
    conveyor.forget_trouble();
  } else if (conveyor.outside_count() == 0) {
    conveyor.forget_trouble();
  } else if (trouble->all_down && *answered_at - trouble->since > kLostAfter) {
    conveyor.start_over(now);
    conveyor.forget_trouble();
  }
}

Health Reachability::health(const Conveyor& conveyor, const TopicTable& topics) const {
  if (const auto& error = conveyor.build_error()) {
    return Health{HealthState::waiting, core::to_string(*error)};
  }
  if (const auto& trouble = conveyor.trouble()) return Health{HealthState::waiting, trouble->text};
  if (topics.unknown_count() == 0) return Health{HealthState::ok, ""};
  const std::string trouble = topics.watch().trouble();
  if (!trouble.empty()) return Health{HealthState::waiting, trouble};
  return Health{HealthState::starting, "asking Kafka about its topics"};
}

core::Instant Reachability::wake_at(const Conveyor& conveyor, core::Instant now) const {
  if (!conveyor.trouble()) return core::kNever;
  return std::max(probe_at_, now + milliseconds(1));
}

}  // namespace outbox::kafka
