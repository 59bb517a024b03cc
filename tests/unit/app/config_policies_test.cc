// The brake, the budget of retries and what routes say of their replays.

#include <gtest/gtest.h>

#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

const std::string kRoute = "[[pipeline.route]]\ntopic = \"a\"\n";

PipelineConfig pipeline_of(const std::string& toml) {
  const Loaded loaded = load_text(toml);
  EXPECT_TRUE(loaded.config) << problems_of(toml);
  return loaded.config ? loaded.config->pipelines[0] : PipelineConfig{};
}

TEST(ConfigPoliciesTest, HaveTheirDefaults) {
  const PipelineConfig pipeline = pipeline_of(kMinimal);
  EXPECT_EQ(pipeline.brake, (flow::BrakeOptions{10'000, 5'000}));
  EXPECT_EQ(pipeline.held_retries_per_s, 200U);
  ASSERT_EQ(pipeline.replays.size(), 1U);
  EXPECT_EQ(pipeline.replays[0], ReplayConfig{});
  EXPECT_FALSE(pipeline.replays[0].second_approver);
  EXPECT_EQ(pipeline.replays[0].automatic_after.count(), 0) << "never by itself";
}

TEST(ConfigPoliciesTest, AreRead) {
  const PipelineConfig pipeline = pipeline_of(
      kMinimal + "held_retries_per_s = 7\nbrake = { window_events = 100, refused_max = 3 }\n" +
      kRoute +
      "replay = { second_approver = true, replays_max = 2, automatic_after_s = 60,"
      " automatic_first_per_s = 5, automatic_most_per_s = 50, automatic_failures_max = 4,"
      " automatic_replays_max = 1 }\n");
  EXPECT_EQ(pipeline.brake, (flow::BrakeOptions{100, 3}));
  EXPECT_EQ(pipeline.held_retries_per_s, 7U);
  EXPECT_EQ(pipeline.replays[0], (ReplayConfig{true, 2, std::chrono::seconds(60), 5, 50, 4, 1}));
}

TEST(ConfigPoliciesTest, WithoutANumberTheBrakeAllowsHalf) {
  EXPECT_EQ(pipeline_of(kMinimal + "brake = { window_events = 500 }\n").brake.refused_max, 250U);
}

TEST(ConfigPoliciesTest, TheBrakeCanBeTakenOff) {
  EXPECT_EQ(pipeline_of(kMinimal + "brake = { window_events = 0 }\n").brake.window_events, 0U);
}

TEST(ConfigPoliciesTest, WhatMakesNoSenseIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"brake = { window_events = 10, refused_max = 10 }\n", "refused_max"},
      {"brake = { window_event = 10 }\n", "window_events"},
      {"held_retries_per_s = 0\n", "held_retries_per_s"},
      {kRoute + "replay = { automatic_first_per_s = 10, automatic_most_per_s = 5 }\n",
       "automatic_most_per_s"},
      {kRoute + "replay = { second_approver = \"yes\" }\n", "second_approver"},
      {kRoute + "replay = { replays_max = 0 }\n", "replays_max"},
  };
  for (const auto& [toml, named] : cases) {
    EXPECT_NE(problems_of(kMinimal + toml).find(named), std::string::npos) << toml;
  }
}

TEST(ConfigPoliciesTest, WhatIsPolledByStatusHasNoReplays) {
  const std::string toml =
      "[source.shop]\ntype = \"postgres\"\nurl = \"${DATABASE_URL}\"\nmode = \"poll\"\n"
      "table = \"shop.outbox\"\n[source.shop.columns]\nstatus = \"status\"\n" +
      kSink + kPipeline + kRoute + "replay = { second_approver = true }\n";
  EXPECT_NE(problems_of(toml).find("polled by status"), std::string::npos) << problems_of(toml);
}

}  // namespace
}  // namespace outbox::app
