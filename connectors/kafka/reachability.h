#pragma once
// Reachability: watches a conveyor's connections beside the TopicWatch's own. Decides when a
// producer that cannot reach anybody is replaced, and says in words what is awaited.
//
// The client library never asks the bootstrap servers again, so a producer whose brokers all moved
// is lost. It is replaced only when the watch, with a newer client, does get answers: an outage
// alone costs no producer, and so no repeated record.

#include <optional>
#include <string>

#include "connectors/kafka/conveyor.h"
#include "connectors/kafka/topic_table.h"
#include "relay/core/clock.h"
#include "relay/core/health.h"

namespace outbox::kafka {

class Reachability {
 public:
  void poll(Conveyor& conveyor, TopicTable& topics, core::Now now);

  core::Health health(const Conveyor& conveyor, const TopicTable& topics) const;
  core::Instant wake_at(const Conveyor& conveyor, core::Instant now) const;

 private:
  Reconnects reconnects_ = Reconnects::fast;
  core::Instant probe_at_{};
};

}  // namespace outbox::kafka
