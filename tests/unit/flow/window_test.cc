#include "relay/flow/window.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/event_maker.h"

namespace outbox::flow {
namespace {

using core::Position;

class WindowTest : public testing::Test {
 protected:
  ~WindowTest() override { maker_.let_go(); }

  uint64_t add(Position position, size_t payload_bytes = 1, uint64_t seq = 0) {
    support::EventSpec spec;
    spec.number = position.minor;
    spec.payload = std::string(payload_bytes, 'x');
    spec.position = position;
    spec.seq = seq;
    core::Item item = maker_.make(spec);
    return window_.add(item.event, std::move(item.chunk));
  }

  void settle(uint64_t index) {
    window_.settle(index);
    window_.advance();
  }

  support::EventMaker maker_;
  Window window_{4};
};

TEST_F(WindowTest, StartsWithNoMarks) {
  EXPECT_TRUE(window_.empty());
  EXPECT_EQ(window_.passed_boundary(), std::nullopt);
  EXPECT_EQ(window_.settled_position(), std::nullopt);
}

TEST_F(WindowTest, IsFullWithAllItsCellsAndFreeWhenThePrefixLeft) {
  for (uint64_t ordinal = 1; ordinal <= 4; ++ordinal) add({100, ordinal});
  EXPECT_TRUE(window_.full());
  EXPECT_EQ(window_.free_cells(), 0U);
  settle(2);
  EXPECT_TRUE(window_.full()) << "an earlier cell is open";
  settle(0);
  EXPECT_EQ(window_.free_cells(), 1U);
  settle(1);
  EXPECT_EQ(window_.free_cells(), 3U);
  EXPECT_EQ(add({100, 5}), 4U) << "an index is never used again";
}

TEST_F(WindowTest, OnlyTheSettledPrefixMovesTheMarksInvariant1) {
  add({100, 1}, 1, 11);
  add({100, 2}, 1, 12);
  window_.add_boundary({110, 0});
  settle(1);
  EXPECT_EQ(window_.settled_position(), std::nullopt);
  EXPECT_EQ(window_.passed_boundary(), std::nullopt);
  settle(0);
  EXPECT_EQ(window_.settled_position(), (Position{100, 2}));
  EXPECT_EQ(window_.passed_boundary(), (Position{110, 0}));
  EXPECT_EQ(window_.settled_seq(), 12U);
}

TEST_F(WindowTest, ABoundaryPassesAtOnceOnlyWhenNothingIsOpenInvariant6) {
  window_.add_boundary({90, 0});
  EXPECT_EQ(window_.passed_boundary(), (Position{90, 0}));
  add({100, 1});
  window_.add_boundary({110, 0});
  window_.add_boundary({120, 0});
  EXPECT_EQ(window_.passed_boundary(), (Position{90, 0}));
  settle(0);
  EXPECT_EQ(window_.passed_boundary(), (Position{120, 0}));
}

TEST_F(WindowTest, ABoundaryWaitsForTheEventsBeforeItNotForThoseBehindIt) {
  add({100, 1});
  window_.add_boundary({110, 0});
  add({120, 1});
  window_.add_boundary({130, 0});
  settle(0);
  EXPECT_EQ(window_.passed_boundary(), (Position{110, 0}));
  EXPECT_EQ(window_.settled_position(), (Position{100, 1}));
  settle(1);
  EXPECT_EQ(window_.passed_boundary(), (Position{130, 0}));
}

TEST_F(WindowTest, InsideATransactionOnlyTheSettledMarkMoves) {
  add({100, 1});
  add({100, 2});
  settle(0);
  EXPECT_EQ(window_.settled_position(), (Position{100, 1}));
  EXPECT_EQ(window_.passed_boundary(), std::nullopt);
}

TEST_F(WindowTest, ARetryOfAnEarlierTransactionDoesNotMoveTheSeqBack) {
  add({100, 1}, 1, 50);
  add({110, 1}, 1, 40);
  settle(0);
  settle(1);
  EXPECT_EQ(window_.settled_seq(), 50U);
}

TEST_F(WindowTest, TheCursorGoesBackAndNeverForwardByRewinding) {
  for (uint64_t ordinal = 1; ordinal <= 3; ++ordinal) add({100, ordinal});
  while (window_.cursor() != window_.end()) window_.advance_cursor();
  window_.rewind(2);
  EXPECT_EQ(window_.cursor(), 2U);
  window_.rewind(0);
  EXPECT_EQ(window_.cursor(), 0U);
  window_.rewind(1);
  EXPECT_EQ(window_.cursor(), 0U);
}

TEST_F(WindowTest, TheCursorNeverLagsBehindTheFirstOpenCell) {
  add({100, 1});
  add({100, 2});
  settle(0);
  EXPECT_EQ(window_.cursor(), 1U);
}

TEST_F(WindowTest, AChunkIsFreeOnceItsLastCellSettled) {
  add({100, 1});
  add({100, 2});
  maker_.let_go();
  settle(1);
  EXPECT_GT(maker_.pool().held_bytes(), 0U);
  settle(0);
  EXPECT_EQ(maker_.pool().held_bytes(), 0U);
}

// A settled event's bytes lie in a chunk that an open neighbour may keep alive: what counts is the
// span of the window, or 8 kB events of one stuck partition would pin eight times the budget.
TEST_F(WindowTest, BytesCountUntilTheCellLeavesInvariant7) {
  add({100, 1}, 50);
  const size_t one = window_.bytes();
  add({100, 2}, 500);
  const size_t both = window_.bytes();
  settle(1);
  EXPECT_EQ(window_.bytes(), both);
  settle(0);
  EXPECT_EQ(window_.bytes(), 0U);
  EXPECT_GT(one, 50U);
}

TEST_F(WindowTest, ACellStartsCleanWhenItsPlaceIsUsedAgain) {
  add({100, 1});
  Cell& first = window_.at(0);
  first.attempts = 3;
  first.purpose = core::Purpose::dead_letter;
  first.cause = std::make_unique<core::Cause>();
  first.boundary = Position{100, 7};
  settle(0);
  for (uint64_t ordinal = 8; ordinal <= 11; ++ordinal) add({100, ordinal});
  const Cell& again = window_.at(4);
  EXPECT_EQ(again.attempts, 0U);
  EXPECT_EQ(again.purpose, core::Purpose::deliver);
  EXPECT_EQ(again.state, CellState::queued);
  EXPECT_EQ(again.cause, nullptr);
  EXPECT_EQ(again.boundary, std::nullopt);
}

TEST_F(WindowTest, WhatComesOutOfOrderOrWithoutRoomIsOurOwnBug) {
  add({100, 2});
  EXPECT_DEATH(add({100, 2}), "assertion failed");
  EXPECT_DEATH(add({100, 1}), "assertion failed");
  EXPECT_DEATH(window_.add_boundary({99, 0}), "assertion failed");
  for (uint64_t ordinal = 3; ordinal <= 5; ++ordinal) add({100, ordinal});
  EXPECT_DEATH(add({100, 6}), "assertion failed");
}

TEST_F(WindowTest, ACellSettlesExactlyOnce) {
  add({100, 1});
  add({100, 2});
  window_.settle(1);
  EXPECT_DEATH(window_.settle(1), "assertion failed");
  EXPECT_DEATH(window_.at(2), "assertion failed");
}

TEST_F(WindowTest, AnIndexThatLeftNamesNothing) {
  add({100, 1});
  settle(0);
  EXPECT_DEATH(window_.at(0), "assertion failed");
}

TEST_F(WindowTest, CellsAreAPowerOfTwo) { EXPECT_DEATH(Window(6), "assertion failed"); }

}  // namespace
}  // namespace outbox::flow
