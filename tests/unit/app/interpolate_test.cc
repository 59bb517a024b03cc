#include "relay/app/config/interpolate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace outbox::app {
namespace {

Surroundings fakes() {
  Surroundings surroundings;
  surroundings.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOST") return "db.example";
    if (name == "TRICKY") return "${HOST}";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  surroundings.file = [](const std::string& path) -> core::Result<std::string> {
    if (path == "/run/secret") return std::string("hunter2\n");
    if (path == "/run/two_lines") return std::string("a\n\n");
    if (path == "/run/windows") return std::string("a\r\n");
    if (path == "/run/binary") return std::string("a\0b", 3);
    return core::Error{core::Fault::reject, "FILE_UNREADABLE", "", "", "Permission denied", ""};
  };
  return surroundings;
}

std::string filled(std::string_view text) {
  const auto result = interpolate(text, Placeholders::none, fakes());
  return result ? result->value : "error: " + result.error().detail;
}

TEST(InterpolateTest, FillsInVariablesAndFiles) {
  EXPECT_EQ(filled("postgresql://${HOST}:5432/x"), "postgresql://db.example:5432/x");
  EXPECT_EQ(filled("${HOST}${HOST}"), "db.exampledb.example");
  EXPECT_EQ(filled("${file:/run/secret}"), "hunter2");
  EXPECT_EQ(filled("${EMPTY}"), "");
  EXPECT_EQ(filled("plain $HOST $ {HOST}"), "plain $HOST $ {HOST}");
}

TEST(InterpolateTest, TrimsOneTrailingNewlineOfAFileOnly) {
  EXPECT_EQ(filled("${file:/run/two_lines}"), "a\n");
  EXPECT_EQ(filled("${file:/run/windows}"), "a");
}

TEST(InterpolateTest, NeverFillsInTwice) { EXPECT_EQ(filled("${TRICKY}"), "${HOST}"); }

TEST(InterpolateTest, RefusesWhatItCannotFillIn) {
  EXPECT_EQ(filled("${NOPE}"), "error: the environment variable NOPE is not set");
  EXPECT_EQ(filled("${file:/run/other}"), "error: cannot read \"/run/other\": Permission denied");
  EXPECT_EQ(filled("${file:relative}"), "error: ${file:...} needs an absolute path");
  EXPECT_EQ(filled("${file:/run/binary}"), "error: the file \"/run/binary\" holds a NUL byte");
  EXPECT_EQ(filled("${HOST"), "error: a placeholder is not closed");
  EXPECT_EQ(filled("${}"), "error: unknown placeholder ${}");
  EXPECT_EQ(filled("${host}"), "error: unknown placeholder ${host}");
  EXPECT_EQ(filled("${aggregate_type}"), "error: unknown placeholder ${aggregate_type}");
}

TEST(InterpolateTest, LeavesAggregateTypeToEachEventWhereThatIsAllowed) {
  const auto topic = interpolate("${HOST}.${aggregate_type}", Placeholders::per_event, fakes());
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->value, "db.example.${aggregate_type}");
  EXPECT_FALSE(interpolate("${event_type}", Placeholders::per_event, fakes()));
}

TEST(InterpolateTest, TellsWhetherAValueCameFromOutside) {
  EXPECT_TRUE(interpolate("${HOST}", Placeholders::none, fakes())->filled_in);
  EXPECT_FALSE(interpolate("db", Placeholders::none, fakes())->filled_in);
}

TEST(InterpolateTest, ReadsRealFilesWithinTheirBoundAndNothingElse) {
  char folder[] = "/tmp/outbox_unit_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/secret";
  std::ofstream(path) << "hunter2\n";
  EXPECT_EQ(*read_file(path, 8), "hunter2\n");
  EXPECT_EQ(read_file(path, 7).error().detail, "it is too large");
  EXPECT_EQ(read_file(folder, 100).error().detail, "it is a directory");
  EXPECT_EQ(read_file(path + "x", 100).error().detail, "No such file or directory");
  std::remove(path.c_str());
  rmdir(folder);
}

}  // namespace
}  // namespace outbox::app
