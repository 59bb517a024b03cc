#pragma once
// A golden script: blocks of commands, each with the trace that they must give. Format, as in
// README.md:
//
//   # a remark, anywhere between blocks
//   a command and its words
//   another command
//   ----
//   the expected lines, up to an empty one

#include <string>
#include <vector>

namespace outbox::script {

struct Block {
  std::string remarks;  // lines before the commands, as they stand in the file
  std::vector<std::string> commands;
  std::string expected;  // each line ends with a newline
  int line = 0;          // of the first command in the file
};

struct Script {
  std::vector<Block> blocks;
  std::string tail;  // remarks behind the last block
};

/// Throws std::runtime_error with the line for what is no script.
Script parse_script(const std::string& text);

/// The text that parses to this script.
std::string to_text(const Script& script);

/// A command's words.
std::vector<std::string> words_of(const std::string& command);

}  // namespace outbox::script
