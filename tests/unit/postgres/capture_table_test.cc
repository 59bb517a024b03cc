// Which events a row change makes, and what they say.

#include "connectors/postgres/detail/capture_table.h"

#include <gtest/gtest.h>

#include "connectors/postgres/detail/capture_payload.h"
#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {
namespace {

using Kind = CaptureCondition::Kind;
using wire::null;
using wire::text;
using wire::unchanged;
using Values = std::vector<std::string>;

constexpr uint32_t kOrders = 16500;
const std::vector<wire::Column> kColumns = {
    {"id", 23}, {"status", 25}, {"doc", 3802}, {"total", 1700}};

CaptureRule rule() {
  CaptureRule rule;
  rule.table = {"shop", "orders"};
  rule.aggregate_type = "order";
  rule.key = {"id"};
  rule.insert = "made";
  rule.update = "changed";
  rule.erase = "gone";
  return rule;
}

CaptureRule only(CaptureCondition condition) {
  CaptureRule with = rule();
  with.when = {std::move(condition)};
  return with;
}

class CaptureTableTest : public testing::Test {
 protected:
  core::Result<CaptureTable> described(std::vector<CaptureRule> rules,
                                       const std::vector<wire::Column>& columns = kColumns) {
    rules_ = std::move(rules);
    relation_ = wire::relation(kOrders, "shop", "orders", columns);
    Message message;
    EXPECT_EQ(decoder_.decode(relation_, message), DecodeFault::none);
    std::vector<const CaptureRule*> named;
    for (const CaptureRule& one : rules_) named.push_back(&one);
    return CaptureTable::from(std::get<Relation>(message), named);
  }

  // "made 1 {...}" of each event, or the error's code.
  Values events(std::vector<CaptureRule> rules, const std::string& message,
                const std::vector<wire::Column>& columns = kColumns) {
    const auto table = described(std::move(rules), columns);
    if (!table) return {table.error().code};
    bytes_ = message;
    Message decoded;
    EXPECT_EQ(decoder_.decode(bytes_, decoded), DecodeFault::none);
    CapturedEvents made;
    const auto read = table->read(change_of(decoded), made);
    if (!read) return {read.error().code};
    Values told;
    for (const CapturedEvent& event : made) {
      if (event.rule == nullptr) continue;
      std::string payload(payload_bytes(event, *table), '?');
      write_payload(event, *table, payload.data());
      told.push_back(std::string(event.event_type) + " " + std::string(event.key.value_or("-")) +
                     " " + payload);
    }
    return told;
  }

  static RowChange change_of(const Message& message) {
    if (const auto* insert = std::get_if<Insert>(&message)) return RowChange::of(*insert);
    if (const auto* update = std::get_if<Update>(&message)) return RowChange::of(*update);
    return RowChange::of(std::get<Delete>(message));
  }

  size_t count(const CaptureRule& one, const std::string& message) {
    return events({one}, message).size();
  }

 private:
  std::vector<CaptureRule> rules_;
  std::string relation_;
  std::string bytes_;
  PgoutputDecoder decoder_;
};

Values row(const std::string& id = "1", const std::string& status = "NEW") {
  return {text(id), text(status), text(R"({"a": 1})"), text("12.50")};
}

std::string insert(const Values& values = row()) { return wire::insert(kOrders, values); }
std::string update(const Values& values = row()) { return wire::update(kOrders, values); }

TEST_F(CaptureTableTest, AnInsertTellsTheRowWithNumbersAndJsonAsTheyAre) {
  EXPECT_EQ(events({rule()}, insert()),
            Values{R"(made 1 {"operation":"insert","table":"shop.orders","before":null,)"
                   R"("after":{"id":1,"status":"NEW","doc":{"a": 1},"total":12.50}})"});
}

TEST_F(CaptureTableTest, AnUpdateTellsTheRowBeforeOnlyIfTheRuleAsksForIt) {
  CaptureRule with_before = rule();
  with_before.columns = {"status"};
  const std::string message = wire::update(kOrders, 'O', row(), row("1", "DONE"));
  EXPECT_EQ(events({with_before}, message),
            Values{R"(changed 1 {"operation":"update","table":"shop.orders","before":null,)"
                   R"("after":{"status":"DONE"}})"});
  with_before.before = true;
  EXPECT_EQ(events({with_before}, message),
            Values{R"(changed 1 {"operation":"update","table":"shop.orders",)"
                   R"("before":{"status":"NEW"},"after":{"status":"DONE"}})"});
}

TEST_F(CaptureTableTest, ADeleteByKeyTellsTheKeyAndNoNullsForWhatIsNotKnown) {
  EXPECT_EQ(events({rule()}, wire::erase(kOrders, 'K', {text("1"), null(), null(), null()})),
            Values{R"(gone 1 {"operation":"delete","table":"shop.orders",)"
                   R"("before":{"id":1},"after":null})"});
}

TEST_F(CaptureTableTest, AnUnchangedLargeValueIsNamedAndNeverNull) {
  const Values sent = {text("1"), text("DONE"), unchanged(), null()};
  EXPECT_EQ(events({rule()}, update(sent)),
            Values{R"(changed 1 {"operation":"update","table":"shop.orders","before":null,)"
                   R"("after":{"id":1,"status":"DONE","total":null},"unchanged":["doc"]})"});
  EXPECT_EQ(events({rule()}, wire::update(kOrders, 'O', row(), sent)),
            Values{R"(changed 1 {"operation":"update","table":"shop.orders","before":null,)"
                   R"("after":{"id":1,"status":"DONE","doc":{"a": 1},"total":null}})"});
}

TEST_F(CaptureTableTest, AChangeOfTheKeyIsADeleteOfTheOldAndAnInsertOfTheNew) {
  const Values key = {text("1"), null(), null(), null()};
  const Values told = events({rule()}, wire::update(kOrders, 'K', key, row("2")));
  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(told[0].starts_with(R"(gone 1 {"operation":"delete")")) << told[0];
  EXPECT_TRUE(told[1].starts_with(R"(made 2 {"operation":"insert")")) << told[1];
  EXPECT_EQ(events({rule()}, wire::update(kOrders, 'O', row(), row("1", "X"))).size(), 1u);
}

TEST_F(CaptureTableTest, AKeyOfSeveralColumnsIsAJsonArrayOfTexts) {
  CaptureRule two = rule();
  two.key = {"status", "id"};
  two.columns = {"id"};
  EXPECT_TRUE(events({two}, insert(row("1", "a\"b")))[0].starts_with(R"(made ["a\"b","1"] )"));
  EXPECT_TRUE(events({two}, insert({text("1"), null(), null(), null()}))[0].starts_with(
      R"(made [null,"1"] )"));
}

TEST_F(CaptureTableTest, ANullKeyIsNoKey) {
  EXPECT_TRUE(events({rule()}, insert({null(), null(), null(), null()}))[0].starts_with("made - "));
}

TEST_F(CaptureTableTest, ConditionsOnTheValueLookAtTheRowAfterAndOfADeleteBefore) {
  const CaptureRule is = only({"status", Kind::is, "DONE"});
  EXPECT_EQ(count(is, insert()), 0u);
  EXPECT_EQ(count(is, insert(row("1", "DONE"))), 1u);
  EXPECT_EQ(count(is, update(row("1", "DONE"))), 1u);
  EXPECT_EQ(count(is, wire::erase(kOrders, 'O', row("1", "DONE"))), 1u);
  EXPECT_EQ(count(is, wire::erase(kOrders, 'O', row())), 0u);
  EXPECT_EQ(count(is, insert({text("1"), null(), null(), null()})), 0u);
}

TEST_F(CaptureTableTest, ConditionsOnAChangeCompareBothRows) {
  const CaptureRule to = only({"status", Kind::changed_to, "DONE"});
  const CaptureRule any = only({"status", Kind::changed, ""});
  const auto change = [](const Values& old, const Values& now) {
    return wire::update(kOrders, 'O', old, now);
  };
  EXPECT_EQ(count(to, change(row(), row("1", "DONE"))), 1u);
  EXPECT_EQ(count(to, change(row("1", "DONE"), row("1", "DONE"))), 0u);
  EXPECT_EQ(count(to, change(row("1", "DONE"), row())), 0u);
  EXPECT_EQ(count(any, change(row("1", "DONE"), row())), 1u);
  EXPECT_EQ(count(any, change(row(), row())), 0u);
  EXPECT_EQ(count(any, change({text("1"), null(), null(), null()}, row())), 1u);
  EXPECT_EQ(count(to, insert(row("1", "DONE"))), 1u) << "from nothing";
  EXPECT_EQ(count(any, insert()), 1u);
  EXPECT_EQ(count(to, wire::erase(kOrders, 'O', row("1", "DONE"))), 0u) << "to nothing";
  EXPECT_EQ(count(any, wire::erase(kOrders, 'O', row())), 1u);
}

TEST_F(CaptureTableTest, AConditionThatCannotBeJudgedStopsInsteadOfBeingGuessed) {
  EXPECT_EQ(events({only({"status", Kind::changed, ""})}, update()),
            Values{"CAPTURE_OLD_ROW_MISSING"});
  EXPECT_EQ(events({only({"status", Kind::is, "x"})},
                   wire::erase(kOrders, 'K', {text("1"), null(), null(), null()})),
            Values{"CAPTURE_OLD_ROW_MISSING"});
  EXPECT_EQ(count(only({"id", Kind::changed, ""}), update()), 0u)
      << "without an old row the identity has not changed";
}

TEST_F(CaptureTableTest, TheFirstRuleThatFitsMakesTheEvent) {
  CaptureRule first = only({"status", Kind::is, "DONE"});
  first.insert = "";
  first.update = "done";
  EXPECT_TRUE(events({first, rule()}, update(row("1", "DONE")))[0].starts_with("done "));
  EXPECT_TRUE(events({first, rule()}, update())[0].starts_with("changed "));
  EXPECT_TRUE(events({first, rule()}, insert(row("1", "DONE")))[0].starts_with("made "));
  EXPECT_EQ(count(first, insert()), 0u);
}

TEST_F(CaptureTableTest, AColumnThatIsGoneIsLeftOutButForTheKeyAndConditions) {
  CaptureRule chosen = rule();
  chosen.columns = {"id", "colour"};
  const auto table = described({chosen});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->lacking(), std::vector<std::string>{"colour"});
  CaptureRule keyless = rule();
  keyless.key = {"ident"};
  EXPECT_EQ(described({keyless}).error().code, "CAPTURE_COLUMN_MISSING");
  EXPECT_EQ(described({only({"stat", Kind::is, "x"})}).error().code, "CAPTURE_COLUMN_MISSING");
}

TEST_F(CaptureTableTest, TextIsEscapedAndSpecialNumbersAreStrings) {
  const std::vector<wire::Column> columns = {{"id", 20},    {"ok", 16},    {"\"q\"", 701},
                                             {"pad", 1042}, {"host", 869}, {"j", 114}};
  const Values values = {text("-7"),   text("t"),   text("NaN"),
                         text("ab  "), text("::1"), text("[1,\n 2]")};
  EXPECT_EQ(events({rule()}, insert(values), columns),
            Values{R"(made -7 {"operation":"insert","table":"shop.orders","before":null,)"
                   R"("after":{"id":-7,"ok":true,"\"q\"":"NaN","pad":"ab","host":"::1/128","j":[1,)"
                   "\n 2]}}"});
  EXPECT_TRUE(events({rule()}, insert(row("1", "a\\b\"c\x01")))[0].find(
                  R"("status":"a\\b\"c\u0001")") != std::string::npos);
}

TEST_F(CaptureTableTest, ARowOfAnotherShapeAndABinaryValueAreRefused) {
  EXPECT_EQ(events({rule()}, insert({text("1")})), Values{"ROW_SHAPE"});
  EXPECT_EQ(events({rule()}, wire::erase(kOrders, 'K', {text("1")})), Values{"ROW_SHAPE"});
  EXPECT_EQ(events({rule()}, insert({wire::binary("1"), null(), null(), null()})),
            Values{"ROW_SHAPE"});
}

}  // namespace
}  // namespace outbox::postgres
