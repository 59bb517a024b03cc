// Events without a row, among the rows.

#include "tests/unit/postgres/wal_reader_fixture.h"

namespace outbox::postgres {
namespace {

TEST_F(WalReaderTest, AnEmittedEventHasItsOrdinalAmongTheRowsOfItsTransaction) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::event_insert());
  feed(60, wire::logical_message("outbox.emit", wire::emitted()));
  feed(60, wire::event_insert());
  feed(148, wire::commit(100, 148));
  EXPECT_EQ(batch_[1].event.aggregate_type, "order");
  EXPECT_EQ(batch_[1].event.payload, "{}");
  EXPECT_EQ(batch_[1].event.commit_time.us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(handed_out(), (Texts{"event 100/1", "event 100/2", "event 100/3", "boundary 148/0"}));
}

TEST_F(WalReaderTest, AnEmittedEventIsNotHandedOutTwiceEither) {
  reader_.resume_after({100, 1});
  feed(50, wire::begin(100));
  feed(60, wire::logical_message("outbox.emit", wire::emitted()));
  feed(60, wire::logical_message("outbox.emit", wire::emitted()));
  EXPECT_EQ(handed_out(), Texts{"event 100/2"});
}

TEST_F(WalReaderTest, OtherMessagesAndForgedOnesAreNoEventsAndTakeNoOrdinal) {
  feed(40, wire::logical_message("outbox.emit", wire::emitted(), false));
  feed(50, wire::begin(100));
  feed(60, wire::logical_message("another tool's", wire::emitted()));
  feed(60, wire::logical_message("outbox.emit", wire::emitted().substr(0, 30)));
  feed(60, wire::logical_message("outbox.emit", wire::emitted()));
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
  EXPECT_EQ(reader_.counters().forged, 1u);
}

TEST_F(WalReaderTest, AnEmittedEventOfANewerLayoutStopsTheStreamInsteadOfBeingLost) {
  feed(50, wire::begin(100));
  const auto step = read(wire::xlog_data(60, wire::logical_message("outbox.emit", "\x02 new")));
  ASSERT_FALSE(step.ok());
  EXPECT_NE(core::to_string(step.error()).find("does not know"), std::string::npos);
}

}  // namespace
}  // namespace outbox::postgres
