// `outbox verify --repair` with calls of the test's own: what is asked in which order, what of it
// stands on stdout, and the exit codes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "relay/app/cli/commands.h"
#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

using core::Error;
using core::Fault;
using nlohmann::json;

struct Done {
  ExitCode exit = ExitCode::ok;
  std::string out;
  std::string error;
};

/// A source whose `lost_` rows are lost until a replay delivers them.
class VerifyCommandTest : public testing::Test {
 protected:
  VerifyCommandTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("outbox_verify_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    setenv("DATABASE_URL", "postgresql://db/shop", 1);
    setenv("KAFKA_BOOTSTRAP", "kafka:9092", 1);
    std::ofstream(folder_ / "relay.toml") << kMinimal;
    job_.job = 7;
    job_.pipeline = "orders";
    job_.filter = R"({"cause":"LOST","pipeline":"orders"})";
    job_.state = "done";
    calls_.file = [this](const core::ReplayOrder& order) { return file(order); };
    calls_.jobs = [this](std::optional<uint64_t>, uint64_t) { return std::vector{job_}; };
  }
  ~VerifyCommandTest() override {
    std::filesystem::remove_all(folder_);
    unsetenv("DATABASE_URL");
    unsetenv("KAFKA_BOOTSTRAP");
  }

  core::Result<core::ReplayFiled> file(const core::ReplayOrder& order) {
    EXPECT_EQ(order.filter.cause, "LOST");
    core::ReplayFiled filed{std::nullopt, waiting_, 0, taken_};
    if (order.dry_run) return filed;
    EXPECT_EQ(order.reason, "why");
    ++replays_;
    if (waiting_ == 0) return filed;
    filed.job = job_.job;
    job_.selected = waiting_;
    job_.delivered = waiting_ - job_.refused;
    if (job_.state == "done") lost_.clear();
    return filed;
  }

  core::Result<VerifyOutcome> compare(const VerifyInputs& inputs) {
    ++comparisons_;
    VerifyOutcome outcome;
    outcome.begun_at = core::WallTime{42};
    outcome.summary.altered = altered_;
    for (const uint64_t seq : lost_) {
      verify::Finding finding;
      finding.seq = seq;
      if (seq < 3) finding.overtaken_by = 9;
      inputs.tell(finding);
      ++outcome.summary.lost;
    }
    return outcome;
  }

  core::Result<RepairCounts> file_lost(const RepairInputs& inputs) {
    EXPECT_EQ(inputs.found_at.us, 42);
    if (refusal_) return *refusal_;
    RepairCounts counts;
    while (const auto row = *inputs.next()) {
      FiledEvent event;
      event.id = "id" + std::to_string(row->seq);
      event.seq = row->seq;
      event.key = "k";
      event.letter = row->seq;
      if (row->overtaken_by != 0) event.overtaken_by = row->overtaken_by;
      inputs.tell(event);
      ++counts.filed;
      ++waiting_;
    }
    return counts;
  }

  Done repair(std::vector<std::string> more = {"--reason", "why"}) {
    std::ostringstream out, error;
    Wired wired;
    wired.letters = [this](const Config&, const PipelineConfig&) { return calls_; };
    wired.verify = [this](const VerifyInputs& inputs) { return compare(inputs); };
    wired.file_lost = [this](const RepairInputs& inputs) { return file_lost(inputs); };
    more.insert(more.begin(), {"verify", "--repair", "--config", folder_ / "relay.toml"});
    const ExitCode exit = run_program(more, wired, Terminal{out, error});
    return Done{exit, out.str(), error.str()};
  }
  json report() {
    const Done done = repair({"--reason", "why", "-o", "json"});
    exit_ = done.exit;
    return json::parse(done.out, nullptr, false);
  }

  LetterCalls calls_;
  core::ReplayJob job_;
  std::vector<uint64_t> lost_ = {2, 5};
  uint64_t altered_ = 0;
  uint64_t waiting_ = 0;  // letters with the code LOST, of no job
  uint64_t taken_ = 0;
  std::optional<Error> refusal_;
  int comparisons_ = 0;
  int replays_ = 0;
  ExitCode exit_ = ExitCode::ok;

 private:
  std::filesystem::path folder_;
};

TEST_F(VerifyCommandTest, WhatIsLostIsFiledReplayedAndComparedAgain) {
  const json said = report();
  EXPECT_EQ(exit_, ExitCode::ok);
  EXPECT_EQ(said["summary"]["lost"], 2);
  EXPECT_EQ(said["filed"].size(), 2u);
  EXPECT_EQ(said["filed"][0]["overtaken_by"], 9);
  EXPECT_EQ(said["repair"]["job"]["delivered"], 2);
  EXPECT_EQ(said["repair"]["compared_again"]["lost"], 0);
  EXPECT_EQ(comparisons_, 2);
}

TEST_F(VerifyCommandTest, PeopleAreToldWhichKeysGoOutOfOrder) {
  const Done done = repair();
  EXPECT_NE(done.out.find("out of order  id2  seq 2  key k"), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find("id5"), std::string::npos);
  EXPECT_NE(done.out.find("2 lost events filed"), std::string::npos);
  EXPECT_TRUE(done.out.ends_with("ok: nothing is lost\n")) << done.out;
}

TEST_F(VerifyCommandTest, ADryRunOnlyCountsAndEndsAsVerifyDoes) {
  const Done done = repair({"--dry-run"});
  EXPECT_EQ(done.exit, ExitCode::failed);
  EXPECT_NE(done.out.find("would send 2 lost events again, 1 of them behind"), std::string::npos)
      << done.out;
  EXPECT_EQ(replays_, 0);
  lost_.clear();
  EXPECT_EQ(repair({"--dry-run"}).exit, ExitCode::ok);
}

TEST_F(VerifyCommandTest, WhereNothingIsLostNothingIsFiled) {
  lost_.clear();
  const json said = report();
  EXPECT_EQ(exit_, ExitCode::ok);
  EXPECT_TRUE(said["repair"]["job"].is_null());
  EXPECT_EQ(replays_, 0);
  EXPECT_EQ(comparisons_, 1);
}

TEST_F(VerifyCommandTest, LettersThatAKilledRepairLeftAreReplayed) {
  lost_.clear();
  waiting_ = 3;
  const json said = report();
  EXPECT_EQ(exit_, ExitCode::ok);
  EXPECT_EQ(said["repair"]["waiting"], 3);
  EXPECT_EQ(said["repair"]["job"]["selected"], 3);
}

TEST_F(VerifyCommandTest, TheJobOfAnEarlierRepairIsFollowed) {
  lost_.clear();
  taken_ = 3;
  job_.state = "paused";
  const Done paused = repair();
  EXPECT_EQ(paused.exit, ExitCode::partly_done);
  EXPECT_NE(paused.error.find("go on: outbox dead-letters replay"), std::string::npos)
      << paused.error;
  job_.filter = R"({"cause":"OTHER"})";
  EXPECT_EQ(report()["repair"]["job"], nullptr) << "somebody else's job";
}

TEST_F(VerifyCommandTest, SomeThatAreRefusedAgainArePartlyDone) {
  job_.refused = 1;
  const json said = report();
  EXPECT_EQ(exit_, ExitCode::partly_done);
  EXPECT_EQ(said["repair"]["job"]["refused"], 1);
  EXPECT_EQ(said["repair"]["repaired"], false);
}

TEST_F(VerifyCommandTest, WhatARepairCannotMendStillFails) {
  altered_ = 1;
  const json said = report();
  EXPECT_EQ(exit_, ExitCode::failed);
  EXPECT_EQ(said["repair"]["repaired"], true);
  EXPECT_EQ(said["repair"]["compared_again"]["ok"], false);
}

TEST_F(VerifyCommandTest, ALoginThatMayNotIsRefusedBeforeAnythingIsRead) {
  calls_.file = [](const core::ReplayOrder&) {
    return Error{Fault::fatal, "42501", "replay", "letters", "no", "grant outbox_operator to ops"};
  };
  const Done done = repair();
  EXPECT_EQ(done.exit, ExitCode::refused);
  EXPECT_EQ(done.out, "");
  EXPECT_TRUE(done.error.starts_with("outbox verify: ")) << done.error;
  EXPECT_NE(done.error.find("grant outbox_operator to ops"), std::string::npos);
  EXPECT_EQ(comparisons_, 0);
}

TEST_F(VerifyCommandTest, AFilingThatFailsSaysThatItMayBeRepeatedAndTheReportIsWhole) {
  refusal_ = Error{Fault::unknown, "08006", "file", "lost events", "gone", ""};
  const Done done = repair({"--reason", "why", "-o", "json"});
  EXPECT_EQ(done.exit, ExitCode::unreachable);
  EXPECT_NE(done.error.find("Run the same command again"), std::string::npos) << done.error;
  EXPECT_FALSE(json::parse(done.out, nullptr, false).is_discarded()) << done.out;
  EXPECT_EQ(replays_, 0);
}

TEST_F(VerifyCommandTest, EachLineOfJsonlIsADocument) {
  std::istringstream lines(repair({"--reason", "why", "-o", "jsonl"}).out);
  std::vector<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    keys.push_back(json::parse(line).begin().key());
  }
  EXPECT_EQ(keys.size(), 6u);
  EXPECT_EQ(keys.back(), "repair");
}

TEST_F(VerifyCommandTest, ARepairAsksForItsReason) {
  const Done done = repair({});
  EXPECT_EQ(done.exit, ExitCode::usage);
  EXPECT_NE(done.error.find("--reason is required"), std::string::npos) << done.error;
}

}  // namespace
}  // namespace outbox::app
