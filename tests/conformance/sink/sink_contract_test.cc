// The contract of core::Sink (relay/core/sink.h), for every implementation there is.

#include "tests/conformance/sink/sink_contract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/sink_driver.h"

namespace outbox::support {
namespace {

using State = SinkDriver::State;

class SinkContract : public ::testing::TestWithParam<SinkKind> {
 protected:
  SinkContract()
      : subject_(GetParam().make()),
        topic_(&subject_->sink().destination(subject_->usable_name())),
        driver_(subject_->sink()) {}

  // Waits for the facts of the destination.
  void open() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (topic_->state == core::DestinationState::unknown) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      driver_.step(subject_->rest());
    }
    ASSERT_EQ(topic_->state, core::DestinationState::usable);
  }
  EventSpec spec(size_t keys) {
    EventSpec made;
    made.number = next_++;
    made.key = "k" + std::to_string(made.number % keys);
    made.event_type = std::to_string(made.number);  // read back as its number
    made.payload = "1";                             // JSON, for sinks that read it
    made.commit_time = started_.wall;
    made.position = core::Position{made.number + 1, 1};
    return made;
  }
  void add(size_t count, size_t keys) {
    for (size_t i = 0; i < count; ++i) driver_.add(spec(keys), topic_);
  }
  void add_flawed(size_t keys) {
    EventSpec flawed = spec(keys);
    subject_->flaw(flawed);
    flawed_.insert(flawed.number);
    driver_.add(flawed, topic_);
  }
  void settle() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!driver_.settled()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "open deliveries never settled";
      driver_.step(subject_->rest());
    }
  }
  // First arrivals of each key, in the order of submission.
  void expect_order(size_t keys) {
    std::set<uint64_t> seen;
    std::map<uint64_t, uint64_t> newest;
    for (const uint64_t number : subject_->landed()) {
      if (!seen.insert(number).second) continue;
      const auto [known, first] = newest.emplace(number % keys, number);
      EXPECT_TRUE(first || known->second < number) << number << " landed behind " << known->second;
      known->second = std::max(known->second, number);
    }
  }

  std::unique_ptr<SinkSubject> subject_;
  const core::Destination* topic_;
  SinkDriver driver_;
  const core::Now started_ = subject_->rest();
  uint64_t next_ = 0;
  std::set<uint64_t> flawed_;
};

TEST_P(SinkContract, EveryAdmittedDeliveryCompletesExactlyOnce) {
  open();
  add(2'000, 50);
  settle();
  EXPECT_EQ(driver_.violation(), "");
  for (size_t number = 0; number < driver_.size(); ++number) {
    ASSERT_EQ(driver_.item(number).completions, driver_.item(number).admissions);
    ASSERT_EQ(driver_.item(number).state, State::delivered);
  }
}

TEST_P(SinkContract, WhatIsDurableHasLandedInTheOrderOfItsKey_Invariants1And3) {
  open();
  add(2'000, 50);
  settle();
  subject_->destroy_sink();
  const std::vector<uint64_t> landed = subject_->landed();
  EXPECT_EQ(std::set<uint64_t>(landed.begin(), landed.end()).size(), 2'000U);
  expect_order(50);
}

TEST_P(SinkContract, AfterAFailureNothingIsAdmittedUntilAllThatItHeldHasCompleted) {
  open();
  for (int round = 0; round < 5; ++round) {
    add(100, 10);
    add_flawed(10);
    add(100, 10);
  }
  settle();
  // SinkDriver compares every admission with what is outside after a failure.
  EXPECT_EQ(driver_.violation(), "");
}

TEST_P(SinkContract, ARefusedRecordCostsNoOtherItsPlaceOrItsLife_Invariants1And3) {
  open();
  for (int round = 0; round < 5; ++round) {
    add(100, 10);
    add_flawed(10);
    add(100, 10);
  }
  settle();
  for (size_t number = 0; number < driver_.size(); ++number) {
    const bool flawed = flawed_.contains(number);
    EXPECT_EQ(driver_.item(number).state, flawed ? State::rejected : State::delivered) << number;
    EXPECT_EQ(driver_.item(number).cause.empty(), !flawed) << "a reject says why";
  }
  subject_->destroy_sink();
  expect_order(10);
  for (const uint64_t number : subject_->landed()) EXPECT_FALSE(flawed_.contains(number));
}

TEST_P(SinkContract, ANameThatNobodyCanUseBecomesMissing) {
  const core::Destination& nowhere = subject_->sink().destination(subject_->impossible_name());
  for (int round = 0; round < 100 && nowhere.state == core::DestinationState::unknown; ++round) {
    driver_.step(subject_->rest());
  }
  EXPECT_EQ(nowhere.state, core::DestinationState::missing);
}

TEST_P(SinkContract, ADestinationIsOneAndKeepsItsAddress) {
  const core::Destination* first = &subject_->sink().destination("one");
  const core::Destination* other = &subject_->sink().destination("other");
  EXPECT_EQ(first, &subject_->sink().destination("one"));
  EXPECT_NE(first, other);
  EXPECT_NE(first->id, other->id);
  EXPECT_EQ(first->name, "one");
}

TEST_P(SinkContract, DestroyingItEndsWhatIsOutsideWithoutACompletion) {
  open();
  add(500, 50);
  driver_.step(subject_->rest());
  EXPECT_GT(driver_.outside(), 0U);
  const auto started = std::chrono::steady_clock::now();
  subject_->destroy_sink();
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
}

INSTANTIATE_TEST_SUITE_P(Sinks, SinkContract, ::testing::ValuesIn(sink_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace outbox::support
