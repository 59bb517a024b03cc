#pragma once
// One pipeline over fakes. Whatever a test looks at, the judge looks at the invariants as well, and
// its verdict fails the test.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/world.h"

namespace outbox::flow {

using std::chrono::milliseconds;
using std::chrono::seconds;
using support::EventSpec;
using support::FakeCheckpoint;
using support::FakeSink;
using support::Fate;

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    options_.pipeline.window_cells = 16;
    make_world();
  }
  ~PipelineTest() override { EXPECT_EQ(world_->judge.violation(), ""); }

  /// After a change of options_.
  void make_world() { world_ = std::make_unique<support::World>(options_); }

  static EventSpec event(uint64_t number, std::optional<std::string> key = "k") {
    EventSpec spec;
    spec.number = number;
    spec.key = std::move(key);
    spec.payload = "payload of " + std::to_string(number);
    return spec;
  }

  void commit(uint64_t commit_lsn, std::vector<EventSpec> events, Fate fate = Fate::deliver,
              uint16_t stream = 0) {
    world_->commit(commit_lsn, std::move(events), fate, stream);
  }

  std::optional<Pipeline::Next> step() { return world_->step(); }
  void run() { world_->run(); }
  void advance(core::Duration by) { world_->clock.advance(by); }

  FakeSink& sink() { return world_->sink(); }
  FakeSink& journal() { return world_->journal(); }
  FakeCheckpoint& checkpoint() { return world_->checkpoint(); }
  Pipeline& pipeline() { return world_->pipeline(); }

  /// The ticket of the delivery of event `number` that a sink holds.
  static core::Ticket held(const FakeSink& sink, uint64_t number) {
    for (const core::Delivery& delivery : sink.outside()) {
      if (support::number_of(delivery.event->id) == number) return delivery.ticket;
    }
    ADD_FAILURE() << "event " << number << " is not outside";
    return {};
  }
  static std::vector<uint64_t> numbers_outside(const FakeSink& sink) {
    std::vector<uint64_t> numbers;
    for (const core::Delivery& delivery : sink.outside()) {
      numbers.push_back(support::number_of(delivery.event->id));
    }
    return numbers;
  }
  std::vector<uint64_t> outside() { return numbers_outside(sink()); }
  std::vector<uint64_t> landed() { return sink().landed_numbers(); }

  /// The LSN that the slot was told, 0 before the first.
  uint64_t confirmed() { return world_->upstreams[0].confirmed().major; }

  support::WorldOptions options_;
  std::unique_ptr<support::World> world_;
};

using Numbers = std::vector<uint64_t>;

}  // namespace outbox::flow
