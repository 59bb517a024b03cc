// Logging: lines that cannot be forged, and a data path that never waits for stderr (fault row 46).

#include "relay/app/log/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "relay/app/log/line.h"

namespace outbox::app {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int in() const { return ends[1]; }
  std::string read_all() const {
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string all;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }
};

TEST(LogTest, ATextLineCarriesItsFieldsQuotedWhereNeeded) {
  EXPECT_EQ(text_line("started", {{"slot", "outbox_shop"}, {"why", "a b"}, {"none", ""}}),
            "started slot=outbox_shop why=\"a b\" none=\"\"");
}

TEST(LogTest, NothingThatIsLoggedCanForgeALine) {
  const std::string nasty = "x\ny\" level=error \\ \x1b[31m";
  EXPECT_EQ(text_line("m", {{"v", nasty}}), "m v=\"x\\ny\\\" level=error \\\\ \\x1b[31m\"");
  const auto json = nlohmann::json::parse("{" + json_line("m\n", {{"v", nasty}}) + "}");
  EXPECT_EQ(json["message"], "m\n");
  EXPECT_EQ(json["v"], nasty);
}

TEST(LogTest, JsonTakesBytesThatAreNoUtf8) {
  const auto json = nlohmann::json::parse("{" +
                                          json_line("m", {{"v",
                                                           "a\xff"
                                                           "b"}}) +
                                          "}");
  EXPECT_EQ(json["v"],
            "a\xef\xbf\xbd"
            "b");
}

TEST(LogTest, ALineIsBounded) {
  const std::string huge(1'000'000, 'x');
  EXPECT_LE(text_line(huge, {{"v", huge}}).size(), kLogTextBytesMax + 10);
  EXPECT_LE(json_line("m", {{"v", huge}}).size(), kLogTextBytesMax + 100);
}

TEST(LogTest, WritesTimeLevelAndMessageInBothFormats) {
  Pipe text_pipe;
  { Log({LogLevel::info, LogFormat::text}, text_pipe.in()).warn("hello", {{"a", "b"}}); }
  const std::string text = text_pipe.read_all();
  EXPECT_TRUE(text.ends_with("Z warning hello a=b\n")) << text;

  Pipe json_pipe;
  { Log({LogLevel::info, LogFormat::json}, json_pipe.in()).error("hello", {{"a", "b"}}); }
  const auto json = nlohmann::json::parse(json_pipe.read_all());
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["message"], "hello");
  EXPECT_EQ(json["a"], "b");
}

TEST(LogTest, LeavesOutWhatIsBelowTheLevel) {
  Pipe pipe;
  {
    Log log({LogLevel::warn, LogFormat::text}, pipe.in());
    log.debug("d");
    log.info("i");
    log.warn("w");
  }
  const std::string text = pipe.read_all();
  EXPECT_EQ(text.find(" i\n"), std::string::npos);
  EXPECT_NE(text.find(" w\n"), std::string::npos);
}

TEST(LogTest, ABlockedStderrStallsNobodyAndTheEndComesAnyway) {
  Pipe pipe;  // nobody reads it
  const auto begin = std::chrono::steady_clock::now();
  {
    Log log({LogLevel::info, LogFormat::text}, pipe.in());
    for (int i = 0; i < 20'000; ++i) log.info(std::string(200, 'x'));
    const auto written = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(written, std::chrono::seconds(2)) << "the callers waited";
    EXPECT_GT(log.dropped(), 10'000u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace outbox::app
