#include "relay/flow/saved_progress.h"

#include <gtest/gtest.h>

#include "tests/support/event_maker.h"

namespace outbox::flow {
namespace {

using core::Position;
using std::chrono::milliseconds;

class SavedProgressTest : public testing::Test {
 protected:
  ~SavedProgressTest() override { maker_.let_go(); }

  void settle_event(Position position) {
    support::EventSpec spec;
    spec.position = position;
    core::Item item = maker_.make(spec);
    window_.settle(window_.add(item.event, std::move(item.chunk)));
    window_.advance();
  }

  core::Instant due(Urgency urgency = Urgency::usual) const {
    return saved_.due(window_, {milliseconds(100), milliseconds(2000)}, urgency);
  }

  void save() {
    saved_.save_started(saved_.current(window_), now_);
    saved_.save_durable();
  }

  const core::Instant now_{std::chrono::hours(1)};
  support::EventMaker maker_;
  Window window_{4};
  SavedProgress saved_{core::StreamId{0}};
};

TEST_F(SavedProgressTest, NothingSettledIsNeverDueAndComplete) {
  EXPECT_EQ(due(), core::kNever);
  EXPECT_TRUE(saved_.complete(window_));
}

TEST_F(SavedProgressTest, TheFirstSaveIsDueAtOnce) {
  window_.add_boundary({100, 0});
  EXPECT_LE(due(), now_);
  EXPECT_FALSE(saved_.complete(window_));
}

TEST_F(SavedProgressTest, EventsAndBoundariesHaveTheirOwnCadence) {
  window_.add_boundary({100, 0});
  save();
  saved_.take_confirm();
  window_.add_boundary({110, 0});
  EXPECT_EQ(due(), now_ + milliseconds(2000));
  settle_event({120, 1});
  EXPECT_EQ(due(), now_ + milliseconds(100));
}

TEST_F(SavedProgressTest, ATransactionsEndCountsAsItsEvents) {
  settle_event({120, 1});
  save();
  saved_.take_confirm();
  window_.add_boundary({130, 0});
  EXPECT_EQ(due(), now_ + milliseconds(100));
}

TEST_F(SavedProgressTest, AShutdownSavesAtOnceWhenNothingIsOpen) {
  window_.add_boundary({100, 0});
  save();
  saved_.take_confirm();
  window_.add_boundary({110, 0});
  EXPECT_LE(due(Urgency::shutdown), now_);
}

TEST_F(SavedProgressTest, OnlyWhatIsDurableIsConfirmedAndOnceInvariant6) {
  window_.add_boundary({100, 0});
  saved_.save_started(saved_.current(window_), now_);
  EXPECT_FALSE(saved_.take_confirm());
  window_.add_boundary({110, 0});
  saved_.save_durable();
  EXPECT_FALSE(saved_.complete(window_));
  const auto settled = saved_.take_confirm();
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->low, (Position{100, 0}));
  EXPECT_FALSE(saved_.take_confirm());
}

TEST_F(SavedProgressTest, InsideAFirstTransactionThereIsNothingToConfirm) {
  settle_event({100, 1});
  save();
  EXPECT_FALSE(saved_.take_confirm());
  EXPECT_TRUE(saved_.complete(window_));
}

TEST_F(SavedProgressTest, ASaveBeforeTheLastOneWasConfirmedIsOurOwnBug) {
  window_.add_boundary({100, 0});
  save();
  EXPECT_DEATH(saved_.save_started(saved_.current(window_), now_), "assertion failed");
}

}  // namespace
}  // namespace outbox::flow
