#include "relay/flow/router.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "relay/core/limits.h"
#include "tests/support/event_maker.h"
#include "tests/support/fake_sink.h"
#include "tests/support/manual_clock.h"

namespace outbox::flow {
namespace {

using core::DestinationState;
using support::EventSpec;

class RouterTest : public testing::Test {
 protected:
  ~RouterTest() override { maker_.let_go(); }

  static EventSpec spec(std::string aggregate_type = "order") {
    EventSpec made;
    made.aggregate_type = std::move(aggregate_type);
    made.key = "k";
    made.payload = "{}";
    return made;
  }

  Decision route(Router& router, const EventSpec& of) {
    item_ = maker_.make(of);
    return router.route(item_.event);
  }

  // The code of the refusal of an event at topic "t", or "" when it passes.
  std::string refusal(const EventSpec& of, PreChecks checks = PreChecks::on) {
    Router router({Route{"all", {}, {}, "t"}}, sink_, checks);
    const Decision decision = route(router, of);
    EXPECT_EQ(decision.verdict, Verdict::deliver);
    const auto cause =
        router.refusal(item_.event, decision.route, *decision.destination, clock_.now());
    if (cause) detail_ = cause->detail;
    return cause ? cause->code : "";
  }

  support::FakeSink sink_;
  support::ManualClock clock_;
  support::EventMaker maker_;
  core::Item item_;
  std::string detail_;
};

TEST_F(RouterTest, WithoutRoutesEachAggregateTypeHasItsTopic) {
  Router router({}, sink_);
  const Decision decision = route(router, spec("order"));
  EXPECT_EQ(decision.verdict, Verdict::deliver);
  EXPECT_EQ(decision.destination->name, "outbox.event.order");
  EXPECT_EQ(route(router, spec("invoice")).destination->name, "outbox.event.invoice");
}

TEST_F(RouterTest, TheFirstRouteThatMatchesWins) {
  Router router({Route{"placed", "order", "placed", "orders.placed"},
                 Route{"orders", "order", {}, "orders"}, Route{"rest", {}, {}, "rest"}},
                sink_);
  EXPECT_EQ(route(router, spec("order")).route, 0U);
  EventSpec paid = spec("order");
  paid.event_type = "paid";
  EXPECT_EQ(route(router, paid).destination->name, "orders");
  EXPECT_EQ(route(router, spec("invoice")).destination->name, "rest");
}

TEST_F(RouterTest, MatchingIsExact) {
  Router router({Route{"orders", "order", {}, "orders"}}, sink_);
  for (const char* other : {"Order", "orders", "orde", ""}) {
    EXPECT_EQ(route(router, spec(other)).verdict, Verdict::reject) << other;
  }
}

TEST_F(RouterTest, AnEventWithoutARouteIsRefusedByName) {
  Router router({Route{"orders", "order", {}, "orders"}}, sink_);
  const Decision decision = route(router, spec("invoice"));
  ASSERT_EQ(decision.verdict, Verdict::reject);
  EXPECT_EQ(decision.cause->code, "NO_ROUTE");
  EXPECT_NE(decision.cause->detail.find("\"invoice\""), std::string::npos);
  EXPECT_EQ(decision.destination, nullptr);
  EXPECT_EQ(router.routes()[decision.route].name, "(no route)");
  EXPECT_EQ(router.routes()[decision.route].on_failure, OnFailure::dead_letter);
}

TEST_F(RouterTest, PlaceholdersAreFilledInWhereverTheyStand) {
  Router router({Route{"all", {}, {}, "a.${aggregate_type}.b.${aggregate_type}"}}, sink_);
  EXPECT_EQ(route(router, spec("x")).destination->name, "a.x.b.x");
  EXPECT_EQ(route(router, spec("")).destination->name, "a..b.");
}

TEST_F(RouterTest, ARuleNamesTheTopicOfEachAggregateTypeOnce) {
  int asked = 0;
  Route ruled;
  ruled.topic_rule = TopicRule{"rule", [&](std::string_view type) {
                                 ++asked;
                                 return type == "bad" ? "" : "by.rule." + std::string(type);
                               }};
  Router router({ruled}, sink_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(route(router, spec("order")).destination->name, "by.rule.order");
  }
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(route(router, spec("bad")).cause->code, "ILLEGAL_TOPIC");
}

TEST_F(RouterTest, AValueIsNeverExpandedAgain) {
  Router router({Route{"all", {}, {}, "t.${aggregate_type}"}}, sink_);
  const Decision decision = route(router, spec("${aggregate_type}"));
  EXPECT_EQ(decision.cause->code, "ILLEGAL_TOPIC");
}

TEST_F(RouterTest, TheSameTopicIsTheSameDestination) {
  Router router({Route{"a", "a", {}, "one"}, Route{"b", {}, {}, "one"}}, sink_);
  const auto* first = route(router, spec("a")).destination;
  EXPECT_EQ(first, route(router, spec("b")).destination);
  EXPECT_EQ(first, route(router, spec("a")).destination);
}

TEST_F(RouterTest, ATopicNameThatNoBrokerTakesIsRefused) {
  Router router({}, sink_);
  for (const std::string& type : {std::string("or der"), std::string("a/b"), std::string("ü"),
                                  std::string("a\0b", 3), std::string(250, 'x')}) {
    const Decision decision = route(router, spec(type));
    ASSERT_EQ(decision.verdict, Verdict::reject) << type;
    EXPECT_EQ(decision.cause->code, "ILLEGAL_TOPIC");
    EXPECT_EQ(decision.destination, nullptr);
  }
}

TEST_F(RouterTest, ADetailStaysShortHoweverLongTheName) {
  Router router({}, sink_);
  EXPECT_LT(route(router, spec(std::string(1'000'000, '/'))).cause->detail.size(), 500U);
}

TEST_F(RouterTest, OneWriterCannotMakeTopicsWithoutEndInvariant7) {
  Router router({}, sink_);
  for (size_t topic = 0; topic < core::kDestinationsMax; ++topic) {
    ASSERT_EQ(route(router, spec("t" + std::to_string(topic))).verdict, Verdict::deliver);
  }
  EXPECT_EQ(route(router, spec("one-more")).cause->code, "TOO_MANY_TOPICS");
  EXPECT_EQ(route(router, spec("t17")).verdict, Verdict::deliver) << "known ones go on";
}

TEST_F(RouterTest, HeadersThatTheRelayWritesAreRefused) {
  Router router({}, sink_);
  for (const char* name : {"id", "type", "aggregate_type", "position", "epoch"}) {
    EventSpec forged = spec();
    forged.headers = {{"fine", "1"}, {name, "forged"}};
    const Decision decision = route(router, forged);
    ASSERT_EQ(decision.verdict, Verdict::reject) << name;
    EXPECT_EQ(decision.cause->code, "RESERVED_HEADER");
    EXPECT_NE(decision.destination, nullptr) << "the topic's own dead letters take it";
  }
}

TEST_F(RouterTest, AnEventBringsItsTraceparentAndAnyOtherName) {
  Router router({}, sink_);
  EventSpec traced = spec();
  traced.headers = {{"traceparent", "00-ab-cd-01"}, {"Id", "1"}, {"ids", std::nullopt}};
  EXPECT_EQ(route(router, traced).verdict, Verdict::deliver);
}

TEST_F(RouterTest, HeadersThatCannotBeUsedAreRefusedWithTheirReason) {
  Router router({}, sink_);
  EventSpec bad = spec();
  bad.headers_fault = core::HeadersFault::not_an_object;
  EXPECT_EQ(route(router, bad).cause->code, "HEADERS_NOT_AN_OBJECT");
  bad.headers_fault = core::HeadersFault::too_many;
  EXPECT_EQ(route(router, bad).cause->code, "TOO_MANY_HEADERS");
  bad.headers_fault = core::HeadersFault::none;
  bad.headers = {{"", "nameless"}};
  EXPECT_EQ(route(router, bad).cause->code, "EMPTY_HEADER_NAME");
}

TEST_F(RouterTest, FactsThatAreNotKnownYetDoNotRefuse) {
  core::Destination& topic = sink_.topic("t");
  topic.state = DestinationState::unknown;
  topic.record_bytes_max = 1;
  EXPECT_EQ(refusal(spec()), "");
}

TEST_F(RouterTest, ATopicThatIsNotThereRefuses) {
  sink_.topic("t").state = DestinationState::missing;
  EXPECT_EQ(refusal(spec()), "UNKNOWN_TOPIC");
  EXPECT_NE(detail_.find("\"t\""), std::string::npos);
}

TEST_F(RouterTest, ATopicThatTheRelayMayNotWriteRefuses) {
  sink_.topic("t").state = DestinationState::denied;
  EXPECT_EQ(refusal(spec()), "TOPIC_AUTHORIZATION_FAILED");
}

TEST_F(RouterTest, ARecordIsRefusedFromTheFirstByteOverTheTopicsLimit) {
  core::Destination& topic = sink_.topic("t");
  topic.record_overhead_bytes = 100;
  EventSpec sized = spec();
  sized.payload = std::string(1000, 'x');
  const size_t bytes = maker_.make(sized).event.bytes() + 100;
  topic.record_bytes_max = bytes;
  EXPECT_EQ(refusal(sized), "");
  topic.record_bytes_max = bytes - 1;
  EXPECT_EQ(refusal(sized), "MSG_SIZE_TOO_LARGE");
  EXPECT_NE(detail_.find(std::to_string(bytes)), std::string::npos);
  EXPECT_NE(detail_.find(std::to_string(bytes - 1)), std::string::npos);
}

TEST_F(RouterTest, WhatARecordOfAnotherFormatWeighsIsLeftToTheSink) {
  sink_.topic("t").record_bytes_max = 1;
  Route formatted;
  formatted.topic = "t";
  formatted.weighing = Weighing::by_sink;
  Router router({formatted}, sink_);
  const Decision decision = route(router, spec());
  const core::Item item = maker_.make(spec());
  EXPECT_FALSE(
      router.refusal(item.event, decision.route, *decision.destination, clock_.now()).has_value());
  EXPECT_EQ(refusal(spec()), "MSG_SIZE_TOO_LARGE");
}

TEST_F(RouterTest, ACompactedTopicNeedsAKeyWhichMayBeEmpty) {
  sink_.topic("t").key_required = true;
  EventSpec unkeyed = spec();
  unkeyed.key = std::nullopt;
  EXPECT_EQ(refusal(unkeyed), "KEY_REQUIRED");
  unkeyed.key = "";
  EXPECT_EQ(refusal(unkeyed), "");
}

TEST_F(RouterTest, ATimestampTooFarAheadIsRefused) {
  sink_.topic("t").timestamp_ahead_max = std::chrono::hours(1);
  EventSpec ahead = spec();
  ahead.commit_time.us = clock_.now().wall.us + 3'600'000'000;
  EXPECT_EQ(refusal(ahead), "");
  ahead.commit_time.us += 1;
  EXPECT_EQ(refusal(ahead), "INVALID_TIMESTAMP");
}

TEST_F(RouterTest, NoCommitTimeIsTooExtremeToBeCompared) {
  sink_.topic("t").timestamp_ahead_max = std::chrono::hours(1);
  EventSpec extreme = spec();
  extreme.commit_time.us = 253'402'300'800'000'000;  // the year 10000
  EXPECT_EQ(refusal(extreme), "INVALID_TIMESTAMP");
  extreme.commit_time.us = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(refusal(extreme), "INVALID_TIMESTAMP");
  extreme.commit_time.us = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(refusal(extreme), "");
}

TEST_F(RouterTest, ATopicWithoutALimitTakesEveryTimestamp) {
  EventSpec extreme = spec();
  extreme.commit_time.us = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(refusal(extreme), "");
}

TEST_F(RouterTest, SwitchedOffTheChecksRefuseNothing) {
  sink_.topic("t").state = DestinationState::missing;
  EXPECT_EQ(refusal(spec(), PreChecks::off), "");
}

TEST(TopicNameTest, FollowsTheBrokersRules) {
  for (const std::string& name : {std::string("a"), std::string("A.b_c-9"), std::string("..."),
                                  std::string(".a"), std::string(249, 'x')}) {
    EXPECT_TRUE(legal_topic_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(""), std::string("."), std::string(".."), std::string("a b"),
        std::string("a:b"), std::string("é"), std::string("a\0", 2), std::string(250, 'x')}) {
    EXPECT_FALSE(legal_topic_name(name)) << name;
  }
}

}  // namespace
}  // namespace outbox::flow
