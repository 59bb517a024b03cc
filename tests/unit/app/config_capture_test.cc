// [[source.<name>.capture]]: what a good one becomes, and what is refused, with its place.

#include <gtest/gtest.h>

#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

std::string with(const std::string& captures, const std::string& source = kSource) {
  return source + captures + kSink + kPipeline;
}

std::string capture(const std::string& lines) { return "[[source.shop.capture]]\n" + lines + "\n"; }

const std::string kOrders = "table = \"shop.orders\"\nkey = \"id\"\ninsert = \"Placed\"\n";

TEST(ConfigCaptureTest, EveryKeyIsRead) {
  const Loaded loaded = load_text(with(capture(R"(table = "shop.orders"
aggregate_type = "order"
key = ["tenant", "id"]
columns = ["id", "status"]
before = true
insert = "OrderPlaced"
update = "OrderChanged"
delete = "OrderDeleted"
when = { status = { changed_to = "COMPLETE" }, kind = "b2b", total = { changed = true } }
)")));
  ASSERT_TRUE(loaded.config);
  using Kind = CaptureCondition::Kind;
  const CaptureConfig expected{"shop",
                               "orders",
                               "order",
                               {"tenant", "id"},
                               {"id", "status"},
                               true,
                               "OrderPlaced",
                               "OrderChanged",
                               "OrderDeleted",
                               {{"status", Kind::changed_to, "COMPLETE"},
                                {"kind", Kind::is, "b2b"},
                                {"total", Kind::changed, ""}}};
  ASSERT_EQ(loaded.config->sources[0].captures.size(), 1u);
  EXPECT_EQ(loaded.config->sources[0].captures[0], expected);
}

TEST(ConfigCaptureTest, TheAggregateTypeIsTheTablesNameIfNoneIsGiven) {
  const Loaded loaded = load_text(with(capture(kOrders)));
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->sources[0].captures[0].aggregate_type, "orders");
  EXPECT_EQ(loaded.config->sources[0].captures[0].key, std::vector<std::string>{"id"});
}

struct Wrong {
  std::string captures;
  std::string says;
};

class WrongCaptureTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCaptureTest, IsNamed) {
  const std::string problems = problems_of(with(GetParam().captures));
  EXPECT_NE(problems.find(GetParam().says), std::string::npos) << problems;
}

INSTANTIATE_TEST_SUITE_P(
    Captures, WrongCaptureTest,
    testing::Values(
        Wrong{capture("key = \"id\"\ninsert = \"a\""), "has no \"table\""},
        Wrong{capture("table = \"orders\"\nkey = \"id\"\ninsert = \"a\""),
              "table = \"orders\" in [[source.shop.capture]] number 1 is not a schema and a table"},
        Wrong{capture("table = \"shop.orders\"\ninsert = \"a\""), "has no \"key\""},
        Wrong{capture("table = \"shop.orders\"\nkey = []\ninsert = \"a\""), "\"key\" in"},
        Wrong{capture("table = \"shop.orders\"\nkey = [\"a\", \"a\"]\ninsert = \"a\""), "twice"},
        Wrong{capture("table = \"shop.orders\"\nkey = \"id\""), "makes no events"},
        Wrong{capture("table = \"shop.orders\"\nkey = \"id\"\nupdate = \"\""), "not an event type"},
        Wrong{capture(kOrders + "aggregate_type = \"a b\""), "cannot be part of a topic name"},
        Wrong{capture(kOrders + "colums = [\"a\"]"), "Did you mean \"columns\""},
        Wrong{capture(kOrders + "when = { status = { changed_too = \"a\" } }"),
              "Did you mean \"changed_to\""},
        Wrong{capture(kOrders + "when = { status = { changed = false } }"), "neither or both"},
        Wrong{capture(kOrders + "when = { status = 1 }"), "is an integer, not a string"},
        Wrong{capture("table = \"outbox.event\"\nkey = \"id\"\ninsert = \"a\""),
              "names the outbox table itself"},
        Wrong{capture(kOrders) + capture(kOrders + "when = { status = \"a\" }"),
              "number 2 is never reached"},
        Wrong{capture(kOrders) + capture("table = \"shop.orders\"\nkey = \"no\"\nupdate = \"a\""),
              "number 2 has another key"}));

TEST(ConfigCaptureTest, SeveralCapturesOfATableAreGoodIfEachCanBeReached) {
  const std::string narrow = kOrders + "when = { status = \"a\" }";
  EXPECT_EQ(problems_of(with(capture(narrow) + capture(kOrders + "update = \"b\""))), "");
}

TEST(ConfigCaptureTest, PollingSeesNoBusinessTables) {
  const std::string problems = problems_of(with(capture(kOrders), kSource + "mode = \"poll\"\n"));
  EXPECT_NE(problems.find("[[source.shop.capture]] needs mode = \"wal\""), std::string::npos)
      << problems;
}

}  // namespace
}  // namespace outbox::app
