#pragma once
// TopicList: answers the Router's question which topics there are, and remembers them; for who
// routes events without sending them (`outbox verify`).
//
// Thread: one. Destinations keep their place as long as the list.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "relay/core/sink.h"

namespace outbox::app {

class TopicList final : public core::Sink {
 public:
  const core::Destination& destination(std::string_view name) override;
  /// In the order in which they were asked for first; their ids count from 0.
  const std::deque<core::Destination>& all() const { return all_; }

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;  // never called
  void poll(std::vector<core::Completion>&, core::Now) override {}
  uint64_t wait_generation() const override { return 0; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {}; }

 private:
  std::deque<core::Destination> all_;
  std::map<std::string, uint32_t, std::less<>> ids_;
};

}  // namespace outbox::app
