// Every tests/script/*.txt is two tests: its trace is the expected one, and a crash at any of its
// step boundaries breaks no invariant. OUTBOX_REWRITE=1 writes the traces into the files instead of
// comparing them; read the difference before you keep it.
#include "tests/script/script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/script/interpreter.h"

namespace outbox::script {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> script_names() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(OUTBOX_SCRIPTS)) {
    const fs::path path = entry.path();
    if (path.extension() == ".txt" && path.stem() != "CMakeLists") names.push_back(path.stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ScriptTest : public testing::TestWithParam<std::string> {
 protected:
  std::string path() const { return std::string(OUTBOX_SCRIPTS) + "/" + GetParam() + ".txt"; }

  Script load() const {
    std::ifstream file(path());
    std::stringstream text;
    text << file.rdbuf();
    return parse_script(text.str());
  }
};

TEST_P(ScriptTest, GivesTheExpectedTrace) {
  Script script = load();
  Interpreter interpreter(script);
  const bool rewrite = std::getenv("OUTBOX_REWRITE") != nullptr;
  for (Block& block : script.blocks) {
    SCOPED_TRACE(GetParam() + ".txt:" + std::to_string(block.line));
    std::string trace;
    for (const std::string& command : block.commands) trace += interpreter.run(command);
    if (rewrite) {
      block.expected = trace;
    } else {
      EXPECT_EQ(trace, block.expected);
    }
    ASSERT_EQ(interpreter.world().judge.violation(), "");
  }
  if (rewrite) std::ofstream(path()) << to_text(script);
}

TEST_P(ScriptTest, HoldsEveryInvariantWithACrashAtAnyStep) {
  const Script script = load();
  Interpreter whole(script);
  for (const Block& block : script.blocks) {
    for (const std::string& command : block.commands) whole.run(command);
  }
  const uint64_t steps = whole.world().step_count;
  ASSERT_GT(steps, 2U);
  for (uint64_t after = 0; after <= steps; ++after) {
    for (const InFlight in_flight : {InFlight::nothing_lands, InFlight::everything_lands}) {
      Interpreter interpreter(script);
      EXPECT_EQ(interpreter.crash_after(after, in_flight), "")
          << "crash after step " << after << " of " << steps
          << (in_flight == InFlight::nothing_lands ? "" : ", all in flight landing");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, ScriptTest, testing::ValuesIn(script_names()),
                         [](const auto& name) { return name.param; });

TEST(ScriptFormatTest, ReadsBackWhatItWrites) {
  const std::string text = "# remark\nstep\nrun\n----\nsink <- a\n\nwait 1ms\n----\n\n# end\n";
  EXPECT_EQ(to_text(parse_script(text)), text);
}

TEST(ScriptFormatTest, NamesTheLineThatIsNoScript) {
  EXPECT_THROW(parse_script("step\n\n----\n"), std::runtime_error);
  EXPECT_THROW(parse_script("step\nrun\n"), std::runtime_error);
  EXPECT_THROW(parse_script("----\nrun\n"), std::runtime_error);
  EXPECT_THROW(parse_script("# nothing\n"), std::runtime_error);
}

}  // namespace
}  // namespace outbox::script
