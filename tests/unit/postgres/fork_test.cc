#include "connectors/postgres/detail/fork.h"

#include <gtest/gtest.h>

#include "tests/unit/postgres/good_server.h"

namespace outbox::postgres {
namespace {

using core::Lsn;

constexpr Lsn kSaved{0x16B374D848};

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    saved_.system_id = "77";
    saved_.timeline = 1;
    saved_.end = kSaved;
  }

  std::string code() const {
    const auto finding = judge_identity(saved_, identity_, fork_, options());
    return finding ? finding->code : "";
  }

  ProgressFacts saved_;
  ServerIdentity identity_{"77", 1, Lsn{0x16C0000000}};
  std::optional<Lsn> fork_;
};

TEST_F(IdentityTest, AnotherClusterARestoreAndAnUnknownTimelineStop) {
  EXPECT_EQ(code(), "");
  identity_.system_id = "78";
  EXPECT_EQ(code(), "OTHER_SYSTEM");
  identity_ = {"77", 2, Lsn{0x16C0000000}};
  EXPECT_EQ(code(), "OTHER_TIMELINE");
  identity_ = {"77", 1, Lsn{kSaved.value - 1}};
  EXPECT_EQ(code(), "WAL_BEHIND_PROGRESS");
}

TEST_F(IdentityTest, AFailoverThatKeptAllThatWasDeliveredIsFollowed) {
  identity_.timeline = 2;
  fork_ = kSaved;
  EXPECT_EQ(code(), "");
  fork_ = Lsn{kSaved.value - 1};
  EXPECT_EQ(code(), "OTHER_TIMELINE");
}

TEST_F(IdentityTest, WhatWasDeliveredOfATransactionBeyondTheForkCountsToo) {
  identity_.timeline = 2;
  fork_ = kSaved;
  saved_.commit = Lsn{kSaved.value + 8};
  saved_.ordinal = 1;
  EXPECT_EQ(code(), "OTHER_TIMELINE");
}

TEST_F(IdentityTest, ProgressThatWasNeverSavedFitsEveryServer) {
  saved_.end = Lsn{};
  identity_ = {"78", 5, Lsn{1}};
  EXPECT_EQ(code(), "");
}

}  // namespace
}  // namespace outbox::postgres
