#include "relay/app/cli/command_line.h"

#include <gtest/gtest.h>

namespace outbox::app {
namespace {

using Arguments = std::vector<std::string>;

CommandLine line_of(const Arguments& arguments) {
  const auto parsed = parse_command_line(arguments);
  const auto* reply = std::get_if<Reply>(&parsed);
  EXPECT_EQ(reply, nullptr) << reply->text;
  return reply == nullptr ? std::get<CommandLine>(parsed) : CommandLine{};
}

Reply reply_to(const Arguments& arguments) {
  const auto parsed = parse_command_line(arguments);
  const auto* reply = std::get_if<Reply>(&parsed);
  return reply == nullptr ? Reply{"a command line", ExitCode::ok} : *reply;
}

TEST(CommandLineTest, UnderstandsEveryVerb) {
  EXPECT_EQ(line_of({"run", "--config", "f"}).verb, Verb::run);
  EXPECT_EQ(line_of({"check", "-c", "f"}).verb, Verb::check);
  EXPECT_EQ(line_of({"doctor", "--config=f"}).verb, Verb::doctor);
  EXPECT_EQ(line_of({"status", "--config", "f", "--watch"}).verb, Verb::status);
  EXPECT_EQ(line_of({"verify", "--config", "f"}).verb, Verb::verify);
  EXPECT_EQ(line_of({"schema", "print"}).verb, Verb::schema_print);
  EXPECT_EQ(line_of({"schema", "plan"}).verb, Verb::schema_plan);
  EXPECT_EQ(line_of({"schema", "apply"}).verb, Verb::schema_apply);
  EXPECT_EQ(line_of({"schema", "status"}).verb, Verb::schema_status);
}

TEST(CommandLineTest, ReadsEveryOption) {
  const CommandLine run =
      line_of({"run", "--config", "f", "--log-level", "warn", "--log-format", "json"});
  EXPECT_EQ(run.config_file, "f");
  EXPECT_EQ(run.log.level, LogLevel::warn);
  EXPECT_EQ(run.log.format, LogFormat::json);
  EXPECT_EQ(line_of({"status", "-c", "f", "-o", "jsonl"}).output, OutputFormat::jsonl);
  EXPECT_TRUE(line_of({"status", "-c", "f", "-w"}).watch);
  const CommandLine apply = line_of({"schema", "apply", "--database", "postgresql://x",
                                     "--lock-timeout-ms", "500", "--source", "shop"});
  EXPECT_EQ(apply.database, "postgresql://x");
  EXPECT_EQ(apply.lock_timeout_ms, 500u);
  EXPECT_EQ(apply.source, "shop");
  const CommandLine verify =
      line_of({"verify", "-c", "f", "--pipeline", "orders", "--since", "2h", "-o", "json"});
  EXPECT_EQ(verify.pipeline, "orders");
  EXPECT_EQ(verify.since, Since(std::chrono::seconds(7200)));
  EXPECT_EQ(line_of({"verify", "-c", "f"}).since, std::nullopt);
  EXPECT_TRUE(line_of({"verify", "-c", "f", "--repair", "--reason", "x"}).repair);
  EXPECT_TRUE(line_of({"verify", "-c", "f", "--repair", "--dry-run"}).letters.dry_run);
  for (const std::string alone : {"--dry-run", "--reason=x"}) {
    EXPECT_EQ(reply_to({"verify", "-c", "f", alone}).exit, ExitCode::usage);
  }
}

TEST(CommandLineTest, ATimeThatIsNoneIsAUsageError) {
  const Reply reply = reply_to({"verify", "-c", "f", "--since", "yesterday"});
  EXPECT_EQ(reply.exit, ExitCode::usage);
  EXPECT_NE(reply.text.find("2h, not \"yesterday\""), std::string::npos) << reply.text;
}

TEST(CommandLineTest, HelpAndVersionAreDataAndEndWell) {
  EXPECT_EQ(reply_to({"--version"}).text, "outbox 0.1.0\n");
  EXPECT_EQ(reply_to({"--version"}).exit, ExitCode::ok);
  for (const Arguments& asked : {Arguments{"--help"}, {"run", "--help"}, {"schema", "-h"}}) {
    EXPECT_EQ(reply_to(asked).exit, ExitCode::ok);
    EXPECT_NE(reply_to(asked).text.find("Usage: outbox"), std::string::npos);
  }
}

TEST(CommandLineTest, AnUnknownVerbOrFlagGetsASuggestionAndExit2) {
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"rnu"}, "outbox: unknown command \"rnu\". Did you mean \"run\"?"},
      {{"schema", "aply"}, "outbox schema: unknown command \"aply\". Did you mean \"apply\"?"},
      {{"check", "--cofnig", "f"},
       "outbox check: unknown option \"--cofnig\". Did you mean \"--config\"?"},
      {{"status", "-c", "f", "--wathc"}, "Did you mean \"--watch\"?"},
      {{"frobnicate"}, "outbox: unknown command \"frobnicate\"."},
      {{}, "outbox: a command is missing: run check doctor status schema verify"},
      {{"run"}, "outbox run: --config is required."},
      {{"check", "-c", "f", "-o", "xml"}, "--output: takes text|json|jsonl, not \"xml\"."},
  };
  for (const auto& [arguments, text] : cases) {
    const Reply reply = reply_to(arguments);
    EXPECT_EQ(reply.exit, ExitCode::usage);
    EXPECT_NE(reply.text.find(text), std::string::npos) << reply.text;
    EXPECT_NE(reply.text.find("Try: outbox"), std::string::npos);
  }
}

TEST(CommandLineTest, TheValueOfAMistypedFlagIsNotRepeated) {
  const Reply reply = reply_to({"schema", "apply", "--databse=postgresql://u:canary@h/x"});
  EXPECT_EQ(reply.exit, ExitCode::usage);
  EXPECT_EQ(reply.text.find("canary"), std::string::npos) << reply.text;
}

}  // namespace
}  // namespace outbox::app
