// Rows that were polled while the slot was made, and come again through it.

#include "tests/unit/postgres/wal_reader_fixture.h"

namespace outbox::postgres {
namespace {

class PolledRowsTest : public WalReaderTest {};

TEST_F(PolledRowsTest, RowsThatWerePolledAreDroppedAndTheirTransactionEnds) {
  reader_.skip_polled(2, core::Lsn{5000});
  feed_transaction(1000, 1100, 3);  // seq 1 to 3
  EXPECT_EQ(handed_out(), (Texts{"event 1000/3", "boundary 1100/0"}));
  EXPECT_EQ(reader_.counters().repeated, 2U);
}

TEST_F(PolledRowsTest, LowNumbersThatAreCommittedAfterTheLastLookAreOtherRows) {
  reader_.skip_polled(3, core::Lsn{1000});
  feed_transaction(1000, 1100, 3);
  EXPECT_EQ(handed_out(),
            (Texts{"event 1000/1", "event 1000/2", "event 1000/3", "boundary 1100/0"}));
}

}  // namespace
}  // namespace outbox::postgres
