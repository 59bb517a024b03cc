#include "relay/app/config/table_reader.h"

#include <algorithm>
#include <utility>

#include "relay/core/suggest.h"

namespace outbox::app {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += '"' + names[i] + '"';
  }
  return out;
}

TableReader::TableReader(const Node& table, Place place, std::string title, LoadContext& context)
    : table_(table), place_(place), title_(std::move(title)), context_(context) {}

const Entry* TableReader::find(const std::string& key) {
  known_.push_back(key);
  for (const Entry& entry : table_.entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

void TableReader::missing(const std::string& key, const std::string& example) {
  // A mistyped key is reported once, as unknown, with this one as the suggestion.
  for (const Entry& entry : table_.entries) {
    const std::vector<std::string> only{key};
    if (!contains(known_, entry.key) && core::closest(entry.key, only)) return;
  }
  context_.note(place_, title_ + " has no \"" + key + "\"",
                example.empty() ? "" : "Add " + key + " = " + example + ".");
}

std::optional<Text> TableReader::text(const std::string& key, Presence presence,
                                      const std::string& example, Placeholders placeholders) {
  const Entry* entry = find(key);
  if (entry == nullptr) {
    if (presence == Presence::required) missing(key, example);
    return std::nullopt;
  }
  return text_of(key, entry->value, example, placeholders);
}

std::vector<Text> TableReader::texts(const std::string& key, Presence presence,
                                     const std::string& example) {
  const Entry* entry = find(key);
  if (entry == nullptr) {
    if (presence == Presence::required) missing(key, example);
    return {};
  }
  const bool list = entry->value.kind == NodeKind::array;
  if (list && entry->value.items.empty()) {
    context_.note(entry->value.place, "\"" + key + "\" in " + title_ + " is empty",
                  "Write " + key + " = " + example + ", or leave it out.");
  }
  std::vector<Text> texts;
  const auto add = [&](const Node& value) {
    if (auto text = text_of(key, value, example, Placeholders::none)) texts.push_back(*text);
  };
  if (!list) {
    add(entry->value);
    return texts;
  }
  for (const Node& item : entry->value.items) add(item);
  return texts;
}

std::optional<Text> TableReader::text_of(const std::string& key, const Node& value,
                                         const std::string& example, Placeholders placeholders) {
  if (value.kind != NodeKind::text) {
    context_.note(
        value.place,
        "\"" + key + "\" in " + title_ + " is " + to_string(value.kind) + ", not a string",
        example.empty() ? "" : "Write " + key + " = " + example + ".");
    return std::nullopt;
  }
  auto filled = interpolate(value.text, placeholders, context_.surroundings);
  if (!filled) {
    context_.note(value.place, "\"" + key + "\" in " + title_ + ": " + filled.error().detail,
                  filled.error().hint);
    return std::nullopt;
  }
  return Text{std::move(filled->value), value.text, value.place};
}

std::string TableReader::choice(const std::string& key, const std::vector<std::string>& choices,
                                const std::vector<std::string>& later, const std::string& fallback,
                                Presence presence) {
  const auto typed = text(key, presence, '"' + choices.front() + '"');
  if (!typed) return fallback;
  if (contains(choices, typed->value)) return typed->value;
  const std::string assignment = key + " = " + quoted(typed->shown);
  if (contains(later, typed->value)) {
    context_.note(typed->place, assignment + " comes with a later release",
                  "Until then use " + listed(choices) + ".");
    return fallback;
  }
  std::string remedy = core::did_you_mean(typed->shown, choices);
  if (remedy.empty()) remedy = "Use " + listed(choices) + ".";
  context_.note(typed->place, assignment + " in " + title_ + " is not a value it takes", remedy);
  return fallback;
}

int64_t TableReader::integer(const std::string& key, int64_t min, int64_t max, int64_t fallback) {
  const Entry* entry = find(key);
  if (entry == nullptr) return fallback;
  const Node& value = entry->value;
  const std::string range = std::to_string(min) + " to " + std::to_string(max);
  if (value.kind != NodeKind::integer) {
    context_.note(
        value.place,
        "\"" + key + "\" in " + title_ + " is " + to_string(value.kind) + ", not an integer",
        "Write a whole number from " + range + ", without quotes.");
    return fallback;
  }
  if (value.integer < min || value.integer > max) {
    context_.note(
        value.place,
        key + " = " + std::to_string(value.integer) + " in " + title_ + " is out of range",
        "It may be " + range + ".");
    return fallback;
  }
  return value.integer;
}

bool TableReader::truth(const std::string& key, bool fallback) {
  const Entry* entry = find(key);
  if (entry == nullptr) return fallback;
  if (entry->value.kind == NodeKind::boolean) return entry->value.boolean;
  context_.note(entry->value.place,
                "\"" + key + "\" in " + title_ + " is " + to_string(entry->value.kind) +
                    ", not true or false",
                "Write " + key + " = true, without quotes.");
  return fallback;
}

const Node* TableReader::of_kind(const std::string& key, NodeKind kind, const char* wanted) {
  const Entry* entry = find(key);
  if (entry == nullptr) return nullptr;
  if (entry->value.kind == kind) return &entry->value;
  context_.note(
      entry->place,
      "\"" + key + "\" in " + title_ + " is " + to_string(entry->value.kind) + ", not " + wanted,
      kind == NodeKind::table ? "Write " + key + " = { ... } or a section of its own."
                              : "Write a section [[...]] for each.");
  return nullptr;
}

const Node* TableReader::table(const std::string& key) {
  return of_kind(key, NodeKind::table, "a table");
}

const Node* TableReader::tables(const std::string& key) {
  const Node* array = of_kind(key, NodeKind::array, "a list of tables");
  if (array == nullptr) return nullptr;
  for (const Node& item : array->items) {
    if (item.kind == NodeKind::table) continue;
    context_.note(item.place, "\"" + key + "\" in " + title_ + " holds " + to_string(item.kind) +
                                  ", not a table");
    return nullptr;
  }
  return array;
}

void TableReader::later(const std::vector<std::string>& keys) {
  later_.insert(later_.end(), keys.begin(), keys.end());
}

void TableReader::finish() {
  for (const Entry& entry : table_.entries) {
    if (contains(known_, entry.key)) continue;
    if (contains(later_, entry.key)) {
      context_.note(entry.place,
                    "\"" + entry.key + "\" in " + title_ + " comes with a later release",
                    "Remove it.");
      continue;
    }
    std::string remedy = core::did_you_mean(entry.key, known_);
    if (remedy.empty()) remedy = "It may have " + listed(known_) + ".";
    context_.note(entry.place, "unknown key " + quoted(entry.key) + " in " + title_, remedy);
  }
}

}  // namespace outbox::app
