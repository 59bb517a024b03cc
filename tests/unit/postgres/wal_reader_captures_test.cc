// Changes of business tables among the rows of the outbox: positions, ids, what is told.

#include <set>

#include "tests/unit/postgres/wal_reader_fixture.h"

namespace outbox::postgres {
namespace {

using wire::text;

constexpr uint32_t kOrders = 16500;

class CapturesTest : public WalReaderTest {
 protected:
  CapturesTest() : WalReaderTest({}, OnUpdate::ignore, {rule()}) {
    reader_.know_server("7377", Timelines({}, 1));
  }

  static CaptureRule rule() {
    CaptureRule rule;
    rule.table = {"shop", "orders"};
    rule.aggregate_type = "order";
    rule.key = {"id"};
    rule.insert = "made";
    rule.update = "changed";
    rule.erase = "gone";
    rule.when = {{"status", CaptureCondition::Kind::is, "NEW"}};
    return rule;
  }

  static std::string relation(std::string_view name = "orders", uint32_t id = kOrders) {
    return wire::relation(id, "shop", name, {{"id", 23}, {"status", 25}});
  }
  static std::string row(std::string_view id, std::string_view status = "NEW") {
    return wire::insert(kOrders, {text(id), text(status)});
  }

  void feed_into(WalReader& reader, uint64_t lsn, const std::string& body) {
    const std::string copy_data = wire::xlog_data(lsn, body);
    auto* bytes = static_cast<char*>(std::malloc(copy_data.size()));
    std::memcpy(bytes, copy_data.data(), copy_data.size());
    CopyBuffer buffer(bytes, copy_data.size(), free_buffer);
    ASSERT_TRUE(reader.read(buffer, batch_).ok());
  }

  void begin() {
    feed(50, wire::begin(100));
    feed(50, relation());
    feed(50, wire::event_relation());
  }

  std::vector<core::Uuid> ids() {
    std::vector<core::Uuid> ids;
    for (const core::Item& item : batch_) {
      if (item.kind == core::ItemKind::event) ids.push_back(item.event.id);
    }
    return ids;
  }
};

TEST_F(CapturesTest, EachChangeTakesTwoOrdinalsWhateverItMakes) {
  begin();
  feed(51, row("1"));
  feed(52, row("2", "OTHER"));
  feed(53, wire::event_insert());
  feed(54, wire::update(kOrders, 'O', {text("1"), text("NEW")}, {text("9"), text("NEW")}));
  feed(55, relation("strangers", 16600));
  feed(55, wire::insert(16600, {text("1"), text("x")}));
  feed(56, wire::update(16600, {text("1"), text("x")}));
  feed(57, wire::event_insert());
  feed(148, wire::commit(100, 148));
  EXPECT_EQ(handed_out(), (Texts{"event 100/1", "event 100/5", "event 100/6", "event 100/7",
                                 "event 100/12", "boundary 148/0"}));
}

TEST_F(CapturesTest, WithoutCapturesOtherTablesTakeNoOrdinal) {
  WalReader plain(TableName{}, ColumnNames{}, pool_);
  for (const std::string& body :
       {wire::begin(100), relation(), wire::event_relation(), row("1"),
        wire::update(kOrders, {text("1"), text("x")}), wire::event_insert()}) {
    feed_into(plain, 50, body);
  }
  EXPECT_EQ(handed_out(), Texts{"event 100/1"});
}

TEST_F(CapturesTest, AfterARestartInsideATransactionEachEventKeepsItsIdAndPosition) {
  const auto transaction = [&](WalReader& reader) {
    feed_into(reader, 50, wire::begin(100));
    feed_into(reader, 50, relation());
    for (const char* id : {"1", "2"}) feed_into(reader, 51, row(id));  // of one COPY: one LSN
    feed_into(reader, 52,
              wire::update(kOrders, 'O', {text("1"), text("NEW")}, {text("9"), text("NEW")}));
    feed_into(reader, 53, row("3"));
  };
  transaction(reader_);
  const std::vector<core::Uuid> first = ids();
  ASSERT_EQ(first.size(), 5u);
  EXPECT_EQ(std::set<core::Uuid>(first.begin(), first.end()).size(), 5u);
  batch_.clear();

  WalReader again(TableName{}, ColumnNames{}, pool_, OnUpdate::ignore, {rule()});
  again.know_server("7377", Timelines({}, 1));
  again.resume_after({100, 5});  // the first half of the changed key
  transaction(again);
  EXPECT_EQ(ids(), std::vector<core::Uuid>(first.begin() + 3, first.end()));
  EXPECT_EQ(handed_out(), (Texts{"event 100/6", "event 100/7"}));
}

TEST_F(CapturesTest, ACapturedEventHasKeyTypePayloadAndCommitTime) {
  begin();
  feed(51, row("42"));
  const core::Event& event = batch_.at(0).event;
  EXPECT_EQ(event.aggregate_type, "order");
  EXPECT_EQ(event.aggregate_id, "42");
  EXPECT_EQ(event.event_type, "made");
  EXPECT_EQ(event.payload_kind, core::PayloadKind::json);
  EXPECT_EQ(event.commit_time.us, wire::kCommitTimeUnixUs);
  EXPECT_EQ(event.payload, R"({"operation":"insert","table":"shop.orders","before":null,)"
                           R"("after":{"id":42,"status":"NEW"}})");
}

TEST_F(CapturesTest, ALargeRowHasAChunkOfItsOwnOfJustItsSize) {
  begin();
  feed(51, row("1"));
  feed(51, wire::insert(kOrders, {text(std::string(1 << 20, '7')), text("NEW")}));
  EXPECT_TRUE(batch_.at(0).chunk->shared());
  EXPECT_FALSE(batch_.at(1).chunk->shared());
  EXPECT_LE(batch_.at(1).chunk->room(), 1u);
  EXPECT_EQ(batch_.at(1).event.aggregate_id->size(), size_t{1} << 20);
}

TEST_F(CapturesTest, ATruncateAColumnThatIsGoneAndANewNameAreTold) {
  begin();
  feed(52, "T" + wire::number(1, 4) + wire::number(0, 1) + wire::number(kOrders, 4));
  feed(53, relation("orders_old"));
  const auto notices = reader_.take_notices();
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_EQ(notices[0].code, "CAPTURE_TRUNCATED");
  EXPECT_EQ(notices[1].code, "CAPTURE_RENAMED");
  EXPECT_TRUE(reader_.take_notices().empty());
}

TEST_F(CapturesTest, ARowThatWasNeverDescribedIsRefusedAndAMissingKeyStops) {
  feed(50, wire::begin(100));
  EXPECT_FALSE(read(wire::xlog_data(51, row("1"))).ok());
  EXPECT_FALSE(read(wire::xlog_data(51, wire::update(kOrders, {text("1")}))).ok());
  EXPECT_FALSE(read(wire::xlog_data(51, wire::erase(kOrders, 'K', {text("1")}))).ok());
  const auto step =
      read(wire::xlog_data(0, wire::relation(kOrders, "shop", "orders", {{"status", 25}})));
  ASSERT_FALSE(step.ok());
  EXPECT_EQ(step.error().code, "CAPTURE_COLUMN_MISSING");
  EXPECT_NE(step.error().detail.find("at LSN 0/64"), std::string::npos) << step.error().detail;
}

}  // namespace
}  // namespace outbox::postgres
