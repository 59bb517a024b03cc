#include "relay/core/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace outbox::core {
namespace {

const std::vector<std::string> kKeys = {"slot", "publication", "heartbeat_ms", "url"};

TEST(SuggestTest, CountsInsertedRemovedReplacedAndSwappedLetters) {
  EXPECT_EQ(edit_distance("slot", "slot"), 0u);
  EXPECT_EQ(edit_distance("slots", "slot"), 1u);
  EXPECT_EQ(edit_distance("slo", "slot"), 1u);
  EXPECT_EQ(edit_distance("slat", "slot"), 1u);
  EXPECT_EQ(edit_distance("solt", "slot"), 1u);
  EXPECT_EQ(edit_distance("", "slot"), 4u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(SuggestTest, OffersTheClosestKnownName) {
  EXPECT_EQ(closest("slots", kKeys), "slot");
  EXPECT_EQ(closest("publikation", kKeys), "publication");
  EXPECT_EQ(closest("Heartbeat-MS", kKeys), "heartbeat_ms");
}

TEST(SuggestTest, OffersNothingForAWordThatIsMeantOtherwise) {
  EXPECT_FALSE(closest("password", kKeys));
  EXPECT_FALSE(closest("", kKeys));
  EXPECT_FALSE(closest("xy", kKeys));
  EXPECT_FALSE(closest(std::string(100'000, 'a'), kKeys));
}

TEST(SuggestTest, AsksTheQuestionInFull) {
  EXPECT_EQ(did_you_mean("ulr", kKeys), "Did you mean \"url\"?");
  EXPECT_EQ(did_you_mean("password", kKeys), "");
}

}  // namespace
}  // namespace outbox::core
