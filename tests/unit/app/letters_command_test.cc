// The commands of `outbox dead-letters` with calls of the test's own: several pipelines, errors,
// exit codes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "relay/app/cli/commands.h"
#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

using core::Error;
using core::Fault;

struct Done {
  ExitCode exit = ExitCode::ok;
  std::string out;
  std::string error;
};

class LettersCommandTest : public testing::Test {
 protected:
  LettersCommandTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("outbox_letters_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    setenv("DATABASE_URL", "postgresql://db/shop", 1);
    setenv("KAFKA_BOOTSTRAP", "kafka:9092", 1);
    write(kMinimal);
  }
  ~LettersCommandTest() override {
    std::filesystem::remove_all(folder_);
    unsetenv("DATABASE_URL");
    unsetenv("KAFKA_BOOTSTRAP");
  }

  void write(const std::string& toml) const { std::ofstream(folder_ / "relay.toml") << toml; }

  Done command(std::vector<std::string> arguments) const {
    std::ostringstream out, error;
    Wired wired;
    wired.letters = [this](const Config&, const PipelineConfig&) { return calls_; };
    arguments.insert(arguments.begin(), "dead-letters");
    arguments.insert(arguments.end(), {"--config", folder_ / "relay.toml"});
    const ExitCode exit = run_program(arguments, wired, Terminal{out, error});
    return Done{exit, out.str(), error.str()};
  }

  LetterCalls calls_;

 private:
  std::filesystem::path folder_;
};

Error error_with(const std::string& code, Fault fault) {
  return Error{fault, code, "ask", "letters", "no", "Do this"};
}

TEST_F(LettersCommandTest, EachKindOfErrorHasItsExitCode) {
  const std::vector<std::tuple<std::string, Fault, ExitCode>> cases = {
      {"42501", Fault::retry, ExitCode::refused},
      {"55000", Fault::fatal, ExitCode::refused},
      {"42883", Fault::fatal, ExitCode::failed},
      {"22P02", Fault::fatal, ExitCode::usage},
      {"08006", Fault::retry, ExitCode::unreachable},
      {"28P01", Fault::retry, ExitCode::unreachable},
      {"P0002", Fault::retry, ExitCode::nothing_matched},
      {"URL_MALFORMED", Fault::fatal, ExitCode::usage},
  };
  for (const auto& [code, fault, exit] : cases) {
    const Error error = error_with(code, fault);
    calls_.groups = [error] { return error; };
    const Done done = command({"list"});
    EXPECT_EQ(done.exit, exit) << code;
    EXPECT_NE(done.error.find("Do this"), std::string::npos) << done.error;
    EXPECT_EQ(done.out, "");
  }
}

TEST_F(LettersCommandTest, WhatMayHaveHappenedIsSaid) {
  calls_.discard = [](const core::LetterFilter&, const std::string&, bool) {
    return error_with("08006", Fault::unknown);
  };
  const Done done = command({"discard", "--all", "--reason", "x"});
  EXPECT_EQ(done.exit, ExitCode::unreachable);
  EXPECT_NE(done.error.find("Whether it happened is not known"), std::string::npos) << done.error;
}

TEST_F(LettersCommandTest, SomeDiscardedAndSomeTakenIsPartlyDone) {
  core::LettersDiscarded answer{2, 1};
  calls_.discard = [&](const core::LetterFilter&, const std::string& reason, bool) {
    EXPECT_FALSE(reason.empty());
    return answer;
  };
  EXPECT_EQ(command({"discard", "--all", "--reason", "x"}).exit, ExitCode::partly_done);
  EXPECT_EQ(command({"discard", "--all", "--dry-run"}).exit, ExitCode::ok);
  answer = {0, 1};
  EXPECT_EQ(command({"discard", "--all", "--reason", "x"}).exit, ExitCode::refused);
  answer = {};
  EXPECT_EQ(command({"discard", "--all", "--reason", "x"}).exit, ExitCode::nothing_matched);
}

TEST_F(LettersCommandTest, AFollowedJobEndsWithWhatBecameOfIt) {
  core::ReplayJob job;
  job.job = 7;
  job.selected = 3;
  calls_.file = [](const core::ReplayOrder&) { return core::ReplayFiled{7, 3, 0, 0}; };
  calls_.jobs = [&](std::optional<uint64_t>, uint64_t) { return std::vector{job}; };
  job.state = "done";
  job.delivered = 3;
  EXPECT_EQ(command({"replay", "--reason", "x"}).exit, ExitCode::ok);
  job.delivered = 1;
  job.refused = 1;
  const Done some = command({"replay", "--reason", "x"});
  EXPECT_EQ(some.exit, ExitCode::partly_done);
  EXPECT_NE(some.error.find("refused again: 1 letter; not tried: 1"), std::string::npos)
      << some.error;
  job.state = "paused";
  const Done paused = command({"replay", "--reason", "x"});
  EXPECT_EQ(paused.exit, ExitCode::partly_done);
  EXPECT_NE(paused.error.find("--job 7"), std::string::npos) << paused.error;
}

TEST_F(LettersCommandTest, AProposedJobIsNotWaitedForAndSaysWhoMayGoOn) {
  core::ReplayJob job;
  job.job = 7;
  job.selected = 3;
  job.state = "proposed";
  calls_.file = [](const core::ReplayOrder&) { return core::ReplayFiled{7, 3, 0, 0, 0}; };
  calls_.jobs = [&](std::optional<uint64_t>, uint64_t) { return std::vector{job}; };
  const Done done = command({"replay", "--reason", "x"});
  EXPECT_EQ(done.exit, ExitCode::partly_done);
  EXPECT_NE(done.error.find("Another login approves it: outbox dead-letters jobs"),
            std::string::npos)
      << done.error;
  EXPECT_NE(done.error.find("--approve 7"), std::string::npos) << done.error;
}

TEST_F(LettersCommandTest, WhatWasReplayedTooOftenNeedsForce) {
  calls_.file = [](const core::ReplayOrder& order) {
    EXPECT_FALSE(order.forced);
    return core::ReplayFiled{std::nullopt, 0, 0, 0, 4};
  };
  const Done refused = command({"replay", "--reason", "x"});
  EXPECT_EQ(refused.exit, ExitCode::refused);
  EXPECT_NE(refused.error.find("--force"), std::string::npos) << refused.error;
  calls_.file = [](const core::ReplayOrder& order) {
    EXPECT_TRUE(order.forced);
    return core::ReplayFiled{std::nullopt, 4, 0, 0, 0};
  };
  EXPECT_EQ(command({"replay", "--dry-run", "--force"}).exit, ExitCode::ok);
}

TEST_F(LettersCommandTest, ADetachedJobIsPrintedAndNotFollowed) {
  core::ReplayJob job;
  job.job = 7;
  job.state = "open";
  calls_.file = [](const core::ReplayOrder& order) {
    EXPECT_EQ(order.rate, 5u);
    return core::ReplayFiled{7, 3, 2, 1};
  };
  calls_.jobs = [&](std::optional<uint64_t>, uint64_t) { return std::vector{job}; };
  const Done done = command({"replay", "--reason", "x", "--rate", "5", "--detach"});
  EXPECT_EQ(done.exit, ExitCode::ok);
  EXPECT_NE(done.out.find("job 7"), std::string::npos);
  EXPECT_NE(done.error.find("2 more match, but stand behind"), std::string::npos) << done.error;
  EXPECT_NE(done.error.find("1 more match, but belong to another job"), std::string::npos);
}

TEST_F(LettersCommandTest, AReplayOfAConfigWithSeveralPipelinesAsksWhich) {
  write(kMinimal +
        "[source.other]\ntype = \"postgres\"\nurl = \"${DATABASE_URL}\"\nslot = \"other\"\n"
        "publication = \"other\"\n"
        "[[pipeline]]\nname = \"more\"\nsource = \"other\"\nsink = \"kafka\"\n");
  const Done done = command({"replay", "--reason", "x"});
  EXPECT_EQ(done.exit, ExitCode::usage);
  EXPECT_NE(done.error.find("orders, more"), std::string::npos) << done.error;
}

TEST_F(LettersCommandTest, ATableThatIsPolledByStatusHasNoLetters) {
  write(
      "[source.shop]\ntype = \"postgres\"\nurl = \"${DATABASE_URL}\"\nmode = \"poll\"\n"
      "table = \"shop.outbox\"\n[source.shop.columns]\nstatus = \"status\"\n" +
      kSink + kPipeline);
  const Done done = command({"list"});
  EXPECT_EQ(done.exit, ExitCode::refused);
  EXPECT_NE(done.error.find("polled by status"), std::string::npos) << done.error;
}

TEST_F(LettersCommandTest, AListingWithALimitAsksForNoMoreThanThat) {
  calls_.page = [](const core::LetterQuery& query) {
    EXPECT_LE(query.limit, 3u);
    EXPECT_EQ(query.parts, core::LetterParts::listing);
    std::vector<core::Letter> page(query.limit);
    for (core::Letter& letter : page) letter.letter = 9;
    return page;
  };
  calls_.count = [](const core::LetterQuery&) { return uint64_t{10}; };
  const Done done = command({"list", "--all", "--limit", "3"});
  EXPECT_EQ(done.exit, ExitCode::ok);
  EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 4);
  EXPECT_NE(done.error.find("and 7 letters more"), std::string::npos) << done.error;
}

}  // namespace
}  // namespace outbox::app
