// What may be called delivered by number, while events come from the WAL.

#include "connectors/postgres/detail/proven_horizon.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

Look look(uint64_t last_value, uint64_t inserted, std::vector<Holder> holders = {}) {
  Look look;
  look.last_value = last_value;
  look.inserted = core::Lsn{inserted};
  look.holders = std::move(holders);
  return look;
}

TEST(ProvenHorizonTest, ANumberIsProvenOnceEverythingBeforeItsLsnIsSettled) {
  ProvenHorizon proven;
  EXPECT_EQ(proven.prove(core::Lsn{500}), std::nullopt);
  proven.looked(look(7, 1000));
  EXPECT_EQ(proven.prove(core::Lsn{999}), std::nullopt);
  EXPECT_EQ(proven.prove(core::Lsn{1000}), 7U);
}

TEST(ProvenHorizonTest, TheHighestNumberDeliveredIsNotProvenWhileALowerOneMayCommit) {
  ProvenHorizon proven;
  proven.looked(look(7, 1000));
  EXPECT_EQ(proven.prove(core::Lsn{1000}), 7U);
  proven.looked(look(90, 2000, {{"3/1", false, "a writer"}}));
  EXPECT_EQ(proven.prove(core::Lsn{5000}), 7U);
  proven.looked(look(95, 6000));
  EXPECT_EQ(proven.prove(core::Lsn{6000}), 95U);
}

TEST(ProvenHorizonTest, AClaimThatWaitsIsNotPutOffByNewerOnes) {
  ProvenHorizon proven;
  proven.looked(look(7, 1000));
  proven.looked(look(9, 2000));
  EXPECT_EQ(proven.prove(core::Lsn{1500}), 7U);
  proven.looked(look(11, 3000));
  EXPECT_EQ(proven.prove(core::Lsn{3000}), 11U);
}

TEST(ProvenHorizonTest, AfterAReconnectNobodyIsKnownAndWhatWasProvenStays) {
  ProvenHorizon proven;
  proven.looked(look(7, 1000));
  EXPECT_EQ(proven.prove(core::Lsn{1000}), 7U);
  proven.looked(look(50, 2000));
  proven.begin();
  EXPECT_EQ(proven.prove(core::Lsn{9000}), 7U);
  proven.looked(look(60, 9500, {{"3/1", false, "a writer"}}));
  EXPECT_EQ(proven.prove(core::Lsn{9500}), 7U);
}

}  // namespace
}  // namespace outbox::postgres
