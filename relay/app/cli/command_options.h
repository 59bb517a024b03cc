#pragma once
// Options that several commands have, as CLI11 takes them. For command_line.cc and those beside it.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "relay/app/cli/command_line.h"

namespace outbox::app {

template <typename Choice>
using Choices = std::vector<std::pair<std::string, Choice>>;

/// An option that takes one of the names in `choices`, which outlives the parsing.
template <typename Choice>
void add_choice(CLI::App& app, const std::string& name, const std::string& help, Choice& into,
                const Choices<Choice>& choices) {
  std::string words;
  for (const auto& choice : choices) words += (words.empty() ? "" : "|") + choice.first;
  const auto take = [&into, &choices](const std::string& word) {
    for (const auto& [name_of_choice, value] : choices) {
      if (name_of_choice == word) into = value;
    }
  };
  const auto check = [&choices, words](const std::string& word) {
    for (const auto& choice : choices) {
      if (choice.first == word) return std::string();
    }
    return "takes " + words + ", not \"" + word + "\"";
  };
  app.add_option_function<std::string>(name, take, help)->option_text(words)->check(check);
}

void add_config(CLI::App& app, CommandLine& line, bool required);
void add_output(CLI::App& app, CommandLine& line);
void add_time(CLI::App& app, const std::string& name, const std::string& help,
              const std::function<void(const Since&)>& take);
CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& help, Verb verb,
                   CommandLine& line);

}  // namespace outbox::app
