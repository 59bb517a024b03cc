#include "tests/script/script.h"

#include <sstream>
#include <stdexcept>

namespace outbox::script {
namespace {

constexpr char kDivider[] = "----";

[[noreturn]] void fail(int line, const std::string& what) {
  throw std::runtime_error("line " + std::to_string(line) + ": " + what);
}

}  // namespace

Script parse_script(const std::string& text) {
  Script script;
  std::istringstream lines(text);
  std::string remarks;
  std::string line;
  int number = 0;
  while (std::getline(lines, line)) {
    ++number;
    if (line.empty() || line[0] == '#') {
      remarks += line + "\n";
      continue;
    }
    Block block{remarks, {}, "", number};
    remarks.clear();
    for (; line != kDivider; ++number) {
      if (line.empty()) fail(number, std::string("expected ") + kDivider + " behind the commands");
      block.commands.push_back(line);
      if (!std::getline(lines, line)) line.clear();
    }
    if (block.commands.empty()) fail(number, "no command");
    while (std::getline(lines, line) && ++number && !line.empty()) block.expected += line + "\n";
    script.blocks.push_back(block);
  }
  if (script.blocks.empty()) fail(number, "no command");
  script.tail = remarks;
  return script;
}

std::string to_text(const Script& script) {
  std::string text;
  for (const Block& block : script.blocks) {
    text += block.remarks;
    for (const std::string& command : block.commands) text += command + "\n";
    text += std::string(kDivider) + "\n" + block.expected + "\n";
  }
  text += script.tail;
  while (text.size() > 1 && text.substr(text.size() - 2) == "\n\n") text.pop_back();
  return text;
}

std::vector<std::string> words_of(const std::string& command) {
  std::istringstream stream(command);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace outbox::script
