#include "tests/unit/postgres/wal_reader_fixture.h"

namespace outbox::postgres {
namespace {

using core::ItemKind;
using core::Position;

TEST_F(WalReaderTest, ATransactionIsItsRowsInOrderAndTheBoundaryOfItsEnd) {
  feed_transaction(100, 148, 3);
  EXPECT_EQ(handed_out(), (Texts{"event 100/1", "event 100/2", "event 100/3", "boundary 148/0"}));
}

TEST_F(WalReaderTest, RowsOfOneLsnAreToldApartByTheirOrdinal) {
  feed_transaction(100, 148, 2);  // a COPY or multi-insert: one LSN for all rows
  const Texts texts = handed_out();
  EXPECT_NE(texts[0], texts[1]);
}

TEST_F(WalReaderTest, CommitAndTheNextBeginMayShareAnLsnAndStayInOrder) {
  feed_transaction(100, 148, 1);
  feed_transaction(148, 196, 1);  // its commit record begins where the last one ended
  const Texts texts = handed_out();
  EXPECT_EQ(texts, (Texts{"event 100/1", "boundary 148/0", "event 148/1", "boundary 196/0"}));
}

TEST_F(WalReaderTest, AnEventCarriesEverythingOfItsRowAndItsCommitTime) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::event_insert({.seq = 9, .headers = R"({"h": "v", "n": null})"}));
  ASSERT_EQ(batch_.size(), 1u);
  const core::Event& event = batch_[0].event;
  EXPECT_EQ(core::to_string(event.id), wire::kUuidText);
  EXPECT_EQ(event.seq, 9u);
  EXPECT_EQ(event.aggregate_type, "order");
  EXPECT_EQ(event.aggregate_id, "42");
  EXPECT_EQ(event.event_type, "OrderPlaced");
  EXPECT_EQ(event.payload, R"({"a": 1})");
  EXPECT_EQ(event.commit_time.us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(event.headers_fault, core::HeadersFault::none);
  ASSERT_EQ(event.headers.size(), 2u);
  EXPECT_EQ(event.headers[0].name, "h");
  EXPECT_EQ(event.headers[0].value, "v");
  EXPECT_EQ(event.headers[1].value, std::nullopt);
}

TEST_F(WalReaderTest, HeadersThatCannotBeUsedLeaveTheEventIntact) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::event_insert({.headers = "[1]"}));
  EXPECT_EQ(batch_[0].event.headers_fault, core::HeadersFault::not_an_object);
  EXPECT_EQ(batch_[0].event.payload, R"({"a": 1})");
}

TEST_F(WalReaderTest, AfterAReconnectNothingIsHandedOutTwice) {
  feed_transaction(100, 148, 2);
  feed(150, wire::begin(200));
  feed(150, wire::event_insert());
  handed_out();
  reader_.begin_session();
  feed_transaction(100, 148, 2);
  feed_transaction(200, 248, 3);
  EXPECT_EQ(handed_out(), (Texts{"event 200/2", "event 200/3", "boundary 248/0"}));
  EXPECT_EQ(reader_.counters().repeated, 3u);
}

TEST_F(WalReaderTest, ARestartInsideAHugeTransactionResumesInsideIt) {
  reader_.resume_after({148, 0});
  reader_.resume_after({200, 2});
  feed_transaction(100, 148, 2);
  feed_transaction(200, 248, 4);
  EXPECT_EQ(handed_out(), (Texts{"event 200/3", "event 200/4", "boundary 248/0"}));
}

TEST_F(WalReaderTest, ARestartAtABoundaryDropsTheTransactionItEnds) {
  reader_.resume_after({148, 0});
  feed_transaction(100, 148, 2);
  EXPECT_EQ(handed_out(), Texts{});
}

TEST_F(WalReaderTest, AKeepaliveOutsideATransactionIsABoundary) {
  ASSERT_TRUE(read(wire::keepalive(500)).ok());
  EXPECT_EQ(handed_out(), Texts{"boundary 500/0"});
  EXPECT_EQ(reader_.received().value, 500u);
}

TEST_F(WalReaderTest, AKeepaliveInsideATransactionIsAnsweredAndNotQueued) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::event_insert());
  ASSERT_TRUE(read(wire::keepalive(500, true)).ok());
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
  EXPECT_TRUE(reader_.take_reply_requested());
  EXPECT_FALSE(reader_.take_reply_requested());
}

TEST_F(WalReaderTest, AKeepaliveBehindWhatWasHandedOutSaysNothing) {
  feed_transaction(100, 148, 1);
  handed_out();
  ASSERT_TRUE(read(wire::keepalive(90)).ok());
  ASSERT_TRUE(read(wire::keepalive(148)).ok());
  EXPECT_EQ(handed_out(), Texts{});
}

TEST_F(WalReaderTest, BoundariesWithNothingBetweenThemAreOne) {
  feed_transaction(100, 148, 1);
  ASSERT_TRUE(read(wire::keepalive(160)).ok());
  feed_transaction(200, 248, 0);
  EXPECT_EQ(handed_out(), (Texts{"event 100/1", "boundary 248/0"}));
}

TEST_F(WalReaderTest, ATransactionWithoutOutboxRowsIsOnlyABoundary) {
  feed_transaction(100, 148, 0);
  EXPECT_EQ(handed_out(), Texts{"boundary 148/0"});
}

TEST_F(WalReaderTest, RowsOfOtherTablesAreSkippedAndTakeNoOrdinal) {
  feed(50, wire::begin(100));
  feed(50, wire::relation(900, "public", "orders", {{"id", 20}}));
  feed(50, wire::event_relation());
  feed(50, wire::insert(900, {wire::binary(wire::number(1, 8))}));
  feed(50, wire::event_insert());
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
  EXPECT_EQ(reader_.counters().other_tables, 1u);
}

TEST_F(WalReaderTest, ATableOfTheSameNameInAnotherSchemaIsAnotherTable) {
  feed(50, wire::begin(100));
  feed(50, wire::relation(900, "public", "event", {{"id", 20}}));
  feed(50, wire::insert(900, {wire::binary(wire::number(1, 8))}));
  EXPECT_EQ(handed_out(), Texts{});
}

TEST_F(WalReaderTest, AlterTableInMidStreamChangesTheColumnsFromThereOn) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::event_insert());
  std::vector<wire::Column> columns = {{"tenant", 25}};
  for (const wire::Column& column : wire::event_columns()) columns.push_back(column);
  feed(50, wire::relation(wire::kTable, "outbox", "event", columns));
  feed(50, wire::insert(wire::kTable, {wire::binary("t"), wire::binary(wire::number(2, 8)),
                                       wire::binary(wire::kUuidBytes), wire::binary("order"),
                                       wire::null(), wire::binary("Changed"), wire::null(),
                                       wire::binary("raw"), wire::jsonb("{}"), wire::null()}));
  ASSERT_EQ(batch_.size(), 2u);
  EXPECT_EQ(batch_[1].event.event_type, "Changed");
  EXPECT_EQ(batch_[1].event.payload, "raw");
  EXPECT_EQ(batch_[1].event.aggregate_id, std::nullopt);
  EXPECT_EQ(batch_[1].event.position, (Position{100, 2}));
}

TEST_F(WalReaderTest, AlterTableThatDropsANeededColumnStopsAndNamesIt) {
  std::vector<wire::Column> columns = wire::event_columns();
  columns.erase(columns.begin() + 3);
  const auto step =
      read(wire::xlog_data(50, wire::relation(wire::kTable, "outbox", "event", columns)));
  ASSERT_FALSE(step.ok());
  EXPECT_EQ(step.error().code, "COLUMN_MISSING");
  EXPECT_NE(step.error().detail.find("aggregate_id"), std::string::npos);
}

TEST_F(WalReaderTest, PostgresDescribesAPartitionButSendsItsRowsUnderTheRoot) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, wire::relation(901, "outbox", "event_p000001", wire::event_columns()));
  feed(50, wire::event_insert());
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
}

TEST_F(WalReaderTest, ARowUnderAPartitionsOwnNameIsNeverSkippedUnasked) {
  std::string insert = wire::event_insert();
  insert.replace(1, 4, wire::number(901, 4));
  feed(50, wire::begin(100));
  feed(50, wire::relation(901, "outbox", "event_p000001", wire::event_columns()));
  auto step = read(wire::xlog_data(50, insert));
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(*step, ReadStep::suspect);
  EXPECT_EQ(reader_.suspect(), 901u);
  EXPECT_EQ(handed_out(), Texts{});

  reader_.clear_suspect();  // looked up: a stranger that only looks like one
  reader_.begin_session();
  feed(50, wire::begin(100));
  feed(50, wire::relation(901, "outbox", "event_p000001", wire::event_columns()));
  feed(50, insert);
  EXPECT_EQ(reader_.counters().other_tables, 1u);
}

TEST_F(WalReaderTest, UpdatesAndDeletesOfTheOutboxAreIgnoredAndCounted) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, "U" + wire::number(wire::kTable, 4) + "N" + wire::tuple({wire::unchanged()}));
  feed(50, "D" + wire::number(wire::kTable, 4) + "K" + wire::tuple({wire::null()}));
  feed(50, wire::event_insert());
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
  EXPECT_EQ(reader_.counters().updates_ignored, 1u);
  EXPECT_EQ(reader_.counters().deletes_ignored, 1u);
}

TEST_F(StrictWalReaderTest, AnUpdateStopsItWhenTheSourceSaysSo) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  const auto step = read(wire::xlog_data(
      50, "U" + wire::number(wire::kTable, 4) + "N" + wire::tuple({wire::unchanged()})));
  ASSERT_FALSE(step.ok());
  EXPECT_EQ(step.error().code, "OUTBOX_UPDATED");
  EXPECT_EQ(step.error().fault, core::Fault::fatal);
}

TEST_F(ExtraColumnsTest, FurtherColumnsComeWithTheEventInTheirOrder) {
  feed_transaction(100, 148, 2);
  ASSERT_EQ(batch_[1].event.extras.size(), 3u);
  EXPECT_EQ(batch_[1].event.extras[0].time.us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(batch_[1].event.extras[0].text, "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(batch_[1].event.extras[1].kind, core::Extra::Kind::absent);
  EXPECT_EQ(batch_[1].event.extras[2].text, "OrderPlaced");
  EXPECT_EQ(batch_[1].event.payload_kind, core::PayloadKind::json);
  handed_out();
}

TEST_F(WalReaderTest, ATruncateOfTheOutboxIsCountedAndOneOfAnotherTableIsNot) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  feed(50, "T" + wire::number(1, 4) + wire::number(0, 1) + wire::number(5, 4));
  EXPECT_EQ(reader_.counters().truncates, 0u);
  feed(50, "T" + wire::number(2, 4) + wire::number(0, 1) + wire::number(5, 4) +
               wire::number(wire::kTable, 4));
  EXPECT_EQ(reader_.counters().truncates, 1u);
}

TEST_F(WalReaderTest, AnUnknownMessageStopsWithItsLsnAndHex) {
  const auto step = read(wire::xlog_data(0x16B374D848, "Zzz\x01"));
  ASSERT_FALSE(step.ok());
  EXPECT_EQ(step.error().fault, core::Fault::fatal);
  const std::string text = core::to_string(step.error());
  EXPECT_NE(text.find("16/B374D848"), std::string::npos) << text;
  EXPECT_NE(text.find("5a7a7a01"), std::string::npos) << text;
}

TEST_F(WalReaderTest, ATruncatedMessageStopsWithItsLsnAndHex) {
  const std::string body = wire::begin(100).substr(0, 9);
  const auto step = read(wire::xlog_data(0x77, body));
  ASSERT_FALSE(step.ok());
  const std::string text = core::to_string(step.error());
  EXPECT_NE(text.find("truncated"), std::string::npos) << text;
  EXPECT_NE(text.find("0/77"), std::string::npos) << text;
  EXPECT_NE(text.find("420000000000000064"), std::string::npos) << text;
}

TEST_F(WalReaderTest, BrokenFramesAndBrokenOrderStop) {
  EXPECT_FALSE(read("").ok());
  EXPECT_FALSE(read("w123").ok());
  EXPECT_FALSE(read(wire::keepalive(1) + "x").ok());
  EXPECT_FALSE(read("x").ok());
  EXPECT_FALSE(read(wire::xlog_data(1, wire::commit(100, 148))).ok());
  EXPECT_FALSE(read(wire::xlog_data(1, wire::event_insert())).ok());
  feed(1, wire::event_relation());
  EXPECT_FALSE(read(wire::xlog_data(1, wire::event_insert())).ok());
  feed(1, wire::begin(100));
  EXPECT_FALSE(read(wire::xlog_data(1, wire::begin(100))).ok());
  EXPECT_FALSE(read(wire::xlog_data(1, wire::commit(99, 148))).ok());
}

TEST_F(WalReaderTest, SmallRowsShareAChunkAndFreeWhatLibpqAllocated) {
  feed_transaction(100, 148, 3);
  EXPECT_EQ(buffers_freed, 6);
  EXPECT_EQ(&*batch_[0].chunk, &*batch_[1].chunk);
}

TEST_F(WalReaderTest, ALargeRowKeepsTheMemoryOfLibpqInsteadOfAThirdCopy) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  const int freed_before = buffers_freed;
  const std::string payload(1'000'000, 'x');
  feed(50, wire::event_insert(
               {.payload = std::nullopt, .payload_bytes = payload, .headers = R"({"h": "v"})"}));
  ASSERT_EQ(batch_.size(), 1u);
  const core::Event& event = batch_[0].event;
  EXPECT_EQ(event.payload, payload);
  EXPECT_GE(event.payload->data(), last_buffer_.data());
  EXPECT_LE(event.payload->data() + event.payload->size(),
            last_buffer_.data() + last_buffer_.size());
  ASSERT_EQ(event.headers.size(), 1u);
  EXPECT_EQ(event.headers[0].value, "v");
  EXPECT_EQ(buffers_freed, freed_before);
  batch_.clear();
  EXPECT_EQ(buffers_freed, freed_before + 1);
}

TEST_F(WalReaderTest, ManyRowsOfAllSizesKeepTheirBytes) {
  feed(50, wire::begin(100));
  feed(50, wire::event_relation());
  std::vector<std::string> payloads;
  for (size_t size = 1; size < 200'000; size = size * 3 + 1) {
    for (int i = 0; i < 5; ++i) {
      payloads.push_back(std::string(size, static_cast<char>('a' + i)));
      feed(50, wire::event_insert({.payload = std::nullopt,
                                   .payload_bytes = payloads.back(),
                                   .headers = R"({"a": "b", "c": "d"})"}));
    }
  }
  ASSERT_EQ(batch_.size(), payloads.size());
  for (size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_EQ(batch_[i].event.payload, payloads[i]);
    EXPECT_EQ(batch_[i].event.aggregate_type, "order");
    ASSERT_EQ(batch_[i].event.headers.size(), 2u);
    EXPECT_EQ(batch_[i].event.headers[1].name, "c");
  }
}

}  // namespace
}  // namespace outbox::postgres
