// The commands as a whole, with connectors of the test's own: what goes where, and the exit codes
// that CONTRACT promises.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "relay/app/admin/client.h"
#include "relay/app/admin/server.h"
#include "relay/app/cli/commands.h"
#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

constexpr const char* kUrl = "postgresql://relay:canary-url@db/shop";

struct Done {
  ExitCode exit = ExitCode::ok;
  std::string out;
  std::string error;
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    folder_ = std::filesystem::temp_directory_path() / ("outbox_unit_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    setenv("DATABASE_URL", kUrl, 1);
    setenv("KAFKA_BOOTSTRAP", "kafka:9092", 1);
    write(kMinimal);
  }
  ~ProgramTest() override {
    std::filesystem::remove_all(folder_);
    unsetenv("DATABASE_URL");
    unsetenv("KAFKA_BOOTSTRAP");
  }

  std::string config() const { return folder_ / "relay.toml"; }
  void write(const std::string& toml) const { std::ofstream(config()) << toml; }

  Done command(std::vector<std::string> arguments, const Wired& wired = {}) const {
    std::ostringstream out, error;
    arguments.insert(arguments.end(), {"--config", config()});
    const ExitCode exit = run_program(arguments, wired, Terminal{out, error});
    EXPECT_EQ((out.str() + error.str()).find("canary"), std::string::npos) << out.str();
    return Done{exit, out.str(), error.str()};
  }

  Done doctor(std::vector<Finding> findings, std::vector<std::string> more = {}) const {
    Wired wired;
    wired.doctor_checks = [&](const Config& loaded) {
      return std::vector<DoctorCheck>{
          {"source " + loaded.sources[0].name, [findings] { return findings; }},
          {"sink kafka", [] {
             return std::vector<Finding>{{FindingLevel::ok, "fine", ""}};
           }}};
    };
    more.insert(more.begin(), "doctor");
    return command(more, wired);
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(ProgramTest, CheckOfAGoodConfigNamesItsPipelinesOnStdout) {
  const Done done = command({"check"});
  EXPECT_EQ(done.exit, ExitCode::ok);
  EXPECT_EQ(done.out, "ok: " + config() + "\n  orders: shop -> kafka, 1 route\n");
  EXPECT_EQ(done.error, "");
}

TEST_F(ProgramTest, CheckOfABadConfigIsExit2WithAllFaultsOnStderr) {
  write(kMinimal + "[admin]\ntokn = 1\nlistn = 2\n");
  const Done done = command({"check"});
  EXPECT_EQ(done.exit, ExitCode::usage);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(std::count(done.error.begin(), done.error.end(), '\n'), 2);
}

TEST_F(ProgramTest, CheckWritesItsFaultsAsDataWhereJsonIsAsked) {
  write(kMinimal + "[admin]\ntokn = 1\n");
  const Done done = command({"check", "-o", "json"});
  EXPECT_EQ(done.exit, ExitCode::usage);
  const auto json = nlohmann::json::parse(done.out);
  EXPECT_EQ(json[0]["line"], 12);
  EXPECT_EQ(json[0]["remedy"], "Did you mean \"token\"?");
}

TEST_F(ProgramTest, EveryCommandRefusesAWrongConfigBeforeItTouchesAnything) {
  write("nonsense");
  Wired wired;
  wired.doctor_checks = [](const Config&) {
    ADD_FAILURE() << "touched";
    return std::vector<DoctorCheck>();
  };
  wired.run = [](const RunInputs&) {
    ADD_FAILURE() << "touched";
    return ExitCode::ok;
  };
  for (const char* verb : {"run", "check", "doctor", "status"}) {
    EXPECT_EQ(command({verb}, wired).exit, ExitCode::usage) << verb;
  }
}

TEST_F(ProgramTest, DoctorShowsEachFindingWithItsFix) {
  const Done done = doctor({{FindingLevel::warn, "no limit", "alter system\nset x = 1"}});
  EXPECT_EQ(done.exit, ExitCode::ok);
  EXPECT_EQ(done.out,
            "warn    source shop: no limit\n        alter system\n        set x = 1\n"
            "ok      sink kafka: fine\n");
}

TEST_F(ProgramTest, DoctorEndsWith1OnAnErrorAnd5WhenSomethingIsUnreachable) {
  EXPECT_EQ(doctor({{FindingLevel::ok, "a", ""}}).exit, ExitCode::ok);
  EXPECT_EQ(doctor({{FindingLevel::error, "a", ""}}).exit, ExitCode::failed);
  EXPECT_EQ(doctor({{FindingLevel::unreachable, "a", ""}}).exit, ExitCode::unreachable);
  const Done both = doctor({{FindingLevel::error, "a", ""}, {FindingLevel::unreachable, "b", ""}});
  EXPECT_EQ(both.exit, ExitCode::unreachable);
  EXPECT_NE(both.out.find("fine"), std::string::npos) << "the rest is looked at all the same";
}

TEST_F(ProgramTest, DoctorWritesJsonAndJsonLines) {
  const std::vector<Finding> one = {{FindingLevel::error, "a", "b"}};
  const auto all = nlohmann::json::parse(doctor(one, {"-o", "json"}).out);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["level"], "error");
  EXPECT_EQ(all[0]["fix"], "b");
  const std::string lines = doctor(one, {"-o", "jsonl"}).out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

TEST_F(ProgramTest, StatusOfARelayThatDoesNotRunIsExit5WithTheRemedy) {
  write(kMinimal + "[admin]\nlisten = \"127.0.0.1:1\"\n");
  const Done done = command({"status"});
  EXPECT_EQ(done.exit, ExitCode::unreachable);
  EXPECT_EQ(done.out, "");
  EXPECT_NE(done.error.find("Is it running? Start it with: outbox run"), std::string::npos);
}

/// A port that was free a moment ago.
uint16_t free_port() {
  const auto server =
      AdminServer::start({"127.0.0.1", 0}, [](const HttpRequest&) { return HttpResponse{}; });
  return (*server)->port();
}

TEST_F(ProgramTest, RunServesThePagesAndReloadsWhileItRuns) {
  write(kMinimal + "[admin]\nlisten = \"127.0.0.1:" + std::to_string(free_port()) + "\"\n");
  Wired wired;
  wired.run = [&](const RunInputs& inputs) {
    EXPECT_EQ(inputs.board.read().size(), 1u);
    EXPECT_EQ(*fetch_admin(inputs.config.admin, "/healthz"), "ok\n");
    const Done status = command({"status"});
    EXPECT_EQ(status.exit, ExitCode::ok);
    EXPECT_NE(status.out.find("orders"), std::string::npos);
    EXPECT_NE(status.out.find("starting"), std::string::npos);
    EXPECT_TRUE(inputs.reload());
    write("nonsense");
    EXPECT_FALSE(inputs.reload());
    return ExitCode::failed;
  };
  EXPECT_EQ(command({"run", "--log-level", "error"}, wired).exit, ExitCode::failed);
}

TEST_F(ProgramTest, DataThatCannotBeWrittenIsNoSuccess) {
  std::ostringstream out, error;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(run_program({"check", "--config", config()}, Wired{}, Terminal{out, error}),
            ExitCode::failed);
}

}  // namespace
}  // namespace outbox::app
