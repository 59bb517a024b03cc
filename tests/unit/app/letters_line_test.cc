// `outbox dead-letters` as it is typed: what is understood, what is refused, and with which words.

#include <gtest/gtest.h>

#include "relay/app/cli/command_line.h"

namespace outbox::app {
namespace {

using Arguments = std::vector<std::string>;
using States = std::vector<std::string>;

constexpr const char* kId = "3b8f2e18-296c-472b-a0b5-b211cd55f02e";

Arguments typed(const Arguments& arguments) {
  Arguments all = {"dead-letters"};
  for (const std::string& argument : arguments) all.push_back(argument);
  if (!arguments.empty()) all.push_back("--config=f");
  return all;
}

CommandLine line_of(const Arguments& arguments) {
  auto parsed = parse_command_line(typed(arguments));
  if (auto* line = std::get_if<CommandLine>(&parsed)) return *line;
  ADD_FAILURE() << std::get<Reply>(parsed).text;
  return {};
}

std::string refusal_of(const Arguments& arguments) {
  const auto parsed = parse_command_line(typed(arguments));
  const auto* reply = std::get_if<Reply>(&parsed);
  if (reply == nullptr) return "understood";
  EXPECT_EQ(reply->exit, ExitCode::usage);
  return reply->text;
}

TEST(LettersLineTest, UnderstandsEveryVerb) {
  EXPECT_EQ(line_of({"list"}).verb, Verb::letters_list);
  EXPECT_EQ(line_of({"show", "7"}).verb, Verb::letters_show);
  EXPECT_EQ(line_of({"replay", "--reason", "x"}).verb, Verb::letters_replay);
  EXPECT_EQ(line_of({"discard", "--all", "--reason", "x"}).verb, Verb::letters_discard);
  EXPECT_EQ(line_of({"export"}).verb, Verb::letters_export);
  EXPECT_EQ(line_of({"jobs"}).verb, Verb::letters_jobs);
}

TEST(LettersLineTest, ReadsEveryFilter) {
  const CommandLine line =
      line_of({"list",        "-p",      "orders",     "--key", "k",       "--type",   "t",
               "--aggregate", "a",       "--topic",    "o",     "--cause", "c",        "--since",
               "2h",          "--until", "2026-01-31", "--id",  kId,       "--letter", "12"});
  EXPECT_EQ(line.pipeline, "orders");
  const core::LetterFilter& filter = line.letters.filter;
  EXPECT_EQ(filter.key, "k");
  EXPECT_EQ(filter.type, "t");
  EXPECT_EQ(filter.aggregate, "a");
  EXPECT_EQ(filter.topic, "o");
  EXPECT_EQ(filter.cause, "c");
  EXPECT_EQ(filter.since, core::Moment(std::chrono::seconds(7200)));
  EXPECT_TRUE(std::holds_alternative<core::WallTime>(*filter.until));
  EXPECT_EQ(filter.id, kId);
  EXPECT_EQ(filter.letter, 12u);
  EXPECT_TRUE(line_of({"list"}).letters.filter.empty());
}

TEST(LettersLineTest, AListIsOfOpenLettersUnlessAStateOrALetterIsNamed) {
  EXPECT_EQ(line_of({"list"}).letters.states, (States{"dead", "held", "parked"}));
  EXPECT_EQ(line_of({"list", "--state", "held"}).letters.states, States{"held"});
  EXPECT_EQ(line_of({"list", "--state", "any"}).letters.states, States{});
  EXPECT_EQ(line_of({"list", "--id", kId}).letters.states, States{});
  EXPECT_EQ(line_of({"export", "--letter", "1"}).letters.states, States{});
  EXPECT_EQ(line_of({"list", "--limit", "7"}).letters.limit, 7u);
}

TEST(LettersLineTest, ALetterToShowIsANumberOrAnId) {
  EXPECT_EQ(line_of({"show", "12"}).letters.filter.letter, 12u);
  EXPECT_EQ(line_of({"show", kId}).letters.filter.id, kId);
  EXPECT_EQ(line_of({"show", "--id", kId}).letters.filter.id, kId);
}

TEST(LettersLineTest, ReadsWhatAReplayIsGiven) {
  const LettersLine letters =
      line_of({"replay", "--reason", "mended", "--rate", "50", "--max-failures", "3", "--detach"})
          .letters;
  EXPECT_EQ(letters.reason, "mended");
  EXPECT_EQ(letters.rate, 50u);
  EXPECT_EQ(letters.failures_max, 3u);
  EXPECT_TRUE(letters.detach);
  EXPECT_TRUE(line_of({"replay", "--dry-run"}).letters.dry_run);
  EXPECT_EQ(line_of({"replay", "--job", "4"}).letters.job, 4u);
  const LettersLine edit =
      line_of({"replay", "--letter", "1", "--edit", "p", "--headers", "h", "--reason", "x"})
          .letters;
  EXPECT_EQ(edit.payload_file, "p");
  EXPECT_EQ(edit.headers_file, "h");
}

TEST(LettersLineTest, ReadsWhatIsDoneWithAJob) {
  for (const auto& [name, act] : {std::pair{"--pause", core::ReplayAct::pause},
                                  {"--approve", core::ReplayAct::approve},
                                  {"--resume", core::ReplayAct::resume},
                                  {"--end", core::ReplayAct::end}}) {
    const LettersLine letters = line_of({"jobs", name, "4", "--reason", "x"}).letters;
    EXPECT_EQ(letters.job, 4u);
    EXPECT_EQ(letters.act, act);
  }
  EXPECT_EQ(line_of({"jobs"}).letters.act, std::nullopt);
}

TEST(LettersLineTest, WhatDoesNotGoTogetherOrIsMissingIsAUsageError) {
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{}, "a command is missing: list show replay discard export jobs"},
      {{"lst"}, "Did you mean \"list\"?"},
      {{"list", "--limit", "0"}, "takes a number from 1 on, not \"0\""},
      {{"list", "--letter", "99999999999999999999"}, "takes a number from 1 on"},
      {{"list", "--state", "gone"}, "takes open|dead|held|parked|delivered"},
      {{"list", "--since", "soon"}, "or an age such as 2h, not \"soon\""},
      {{"list", "--id", "12"}, "takes the id of an event, a uuid, not \"12\""},
      {{"show"}, "which one? Give a letter's number or an event's id"},
      {{"show", "g2345678-296c-472b-a0b5-b211cd55f02e"}, "takes a letter's number or the id"},
      {{"replay"}, "--reason is required"},
      {{"replay", "--rate", "-1", "--reason", "x"}, "takes a number from 1 on"},
      {{"replay", "--rate", "10000000", "--reason", "x"}, "--rate"},
      {{"replay", "--job", "1", "--key", "k"}, "--job goes on with a job as it was filed"},
      {{"replay", "--key", "k", "--edit", "f", "--reason", "x"}, "name it with --letter or --id"},
      {{"replay", "--reason", ""}, "takes 1 to 2000 bytes of text"},
      {{"discard", "--reason", "x"}, "name a filter, or --all"},
      {{"discard", "--all"}, "--reason is required"},
      {{"jobs", "--end", "1"}, "--reason is required"},
      {{"jobs", "--approve", "1"}, "--reason is required"},
      {{"replay", "--job", "1", "--force"}, "--job goes on with a job as it was filed"},
      {{"jobs", "--end", "1", "--pause", "1", "--reason", "x"}, "at a time"},
  };
  for (const auto& [arguments, text] : cases) {
    const std::string said = refusal_of(arguments);
    EXPECT_NE(said.find(text), std::string::npos) << said;
    EXPECT_NE(said.find("Try: outbox dead-letters"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace outbox::app
