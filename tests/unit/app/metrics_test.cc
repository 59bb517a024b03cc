#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "tests/unit/app/admin_fixture.h"

namespace outbox::app {
namespace {

std::string two_pipelines() {
  return metrics_text(view_of({healthy_pipeline(), waiting_pipeline()}));
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(MetricsTest, ShowsEachPipelinesNumbers) {
  const std::string text = two_pipelines();
  for (const char* line : {
           "outbox_build_info{version=\"0.1.0\"} 1",
           "outbox_process_resident_bytes 20000000",
           "outbox_pipeline_state{pipeline=\"orders\",state=\"ok\"} 1",
           "outbox_pipeline_state{pipeline=\"orders\",state=\"waiting\"} 0",
           "outbox_pipeline_state{pipeline=\"bills\",state=\"waiting\"} 1",
           "outbox_pipeline_tick_age_seconds{pipeline=\"orders\"} 1",
           "outbox_lag_seconds{pipeline=\"orders\"} 0.25",
           "outbox_lag_events{pipeline=\"orders\"} 1200",
           "outbox_lag_wal_bytes{pipeline=\"orders\"} 4096",
           "outbox_slot_retained_wal_bytes{pipeline=\"orders\"} 16777216",
           "outbox_events_delivered_total{pipeline=\"orders\",route=\"order.events\"} 41",
           "outbox_events_dead_lettered_total{pipeline=\"orders\",route=\"order.events\"} 2",
           "outbox_window_events_max{pipeline=\"orders\"} 8192",
       }) {
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
  }
}

TEST(MetricsTest, WhatIsNotKnownIsLeftOut) {
  const std::string text = two_pipelines();
  EXPECT_EQ(text.find("outbox_lag_seconds{pipeline=\"bills\"}"), std::string::npos);
  EXPECT_EQ(text.find("outbox_slot_safe_wal_bytes"), std::string::npos);
}

TEST(MetricsTest, TheHistogramIsCumulativeFromATenthOfAMillisecondToAMinute) {
  const std::string text = two_pipelines();
  const std::string name = "outbox_commit_to_acknowledged_seconds";
  const std::string labels = "{pipeline=\"orders\",route=\"order.events\"";
  EXPECT_TRUE(has_line(text, name + "_bucket" + labels + ",le=\"0.0001\"} 0"));
  EXPECT_TRUE(has_line(text, name + "_bucket" + labels + ",le=\"0.0005\"} 1"));
  EXPECT_TRUE(has_line(text, name + "_bucket" + labels + ",le=\"60\"} 1"));
  EXPECT_TRUE(has_line(text, name + "_bucket" + labels + ",le=\"+Inf\"} 2"));
  EXPECT_TRUE(has_line(text, name + "_count" + labels + "} 2"));
}

TEST(MetricsTest, EveryFamilyComesOnceWithItsHelp) {
  std::set<std::string> seen;
  std::istringstream lines(two_pipelines());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    EXPECT_TRUE(seen.insert(line.substr(7, line.find(' ', 7) - 7)).second) << line;
  }
  EXPECT_GT(seen.size(), 25u);
}

TEST(MetricsTest, NamesBeginWithOutboxAndEndWithABaseUnit) {
  std::istringstream lines(two_pipelines());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    std::istringstream words(line.substr(7));
    std::string name, type;
    words >> name >> type;
    EXPECT_TRUE(name.starts_with("outbox_")) << name;
    EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
    EXPECT_FALSE(name.ends_with("_ms") || name.ends_with("_mb")) << name;
  }
}

TEST(MetricsTest, EveryMetricStandsInTheDocument) {
  std::ifstream file(std::string(OUTBOX_SOURCE_DIR) + "/relay/docs/metrics.md");
  std::stringstream document;
  document << file.rdbuf();
  ASSERT_FALSE(document.str().empty());
  PipelineView full = healthy_pipeline();
  full.snapshot.slot.safe_wal_size_bytes = 1;
  full.trend.slot_lost_seconds = 60;
  full.snapshot.held_back_seconds = 0;
  full.snapshot.shards = 8;
  full.snapshot.retention = RetentionSnapshot{1, 1, 1, 1, ""};
  std::istringstream lines(metrics_text(view_of({full})));
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) names.insert(line.substr(7, line.find(' ', 7) - 7));
  }
  for (const std::string& name : names) {
    EXPECT_NE(document.str().find("`" + name + "`"), std::string::npos) << name;
  }
  // A row of its table begins with "| `outbox_...`".
  std::istringstream rows(document.str());
  for (std::string row; std::getline(rows, row);) {
    constexpr std::string_view kBegin = "| `outbox_";
    if (!row.starts_with(kBegin)) continue;
    const std::string name = row.substr(3, row.find('`', 3) - 3);
    EXPECT_TRUE(names.contains(name)) << name << " does not exist";
  }
}

}  // namespace
}  // namespace outbox::app
