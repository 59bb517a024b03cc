#pragma once
// TableReader: reads one table of the config strictly. Every key that is asked for is known; what
// is left at finish() is an error with a suggestion. Reading never stops at a problem: a value that
// cannot be used comes back empty, and the problem is noted with its place.
//
// Lifetime: borrows the table and the context, which live for the whole load.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/app/config/document.h"
#include "relay/app/config/interpolate.h"
#include "relay/app/config/problem.h"

namespace outbox::app {

struct LoadContext {
  Problems& problems;
  const Surroundings& surroundings;

  void note(Place place, std::string what, std::string remedy = "") const {
    problems.push_back({place, std::move(what), std::move(remedy)});
  }
};

/// A string value. `shown` is what messages may quote: the text as it stands in the file, before
/// anything was filled in.
struct Text {
  std::string value;
  std::string shown;
  Place place;
};

enum class Presence : uint8_t { required, optional };

class TableReader {
 public:
  /// `title` names the table in messages: "[source.shop]".
  TableReader(const Node& table, Place place, std::string title, LoadContext& context);
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  /// Whether the key is there, of whatever kind; declares nothing.
  bool has(const std::string& key) const { return table_.find(key) != nullptr; }

  /// A string with placeholders filled in. `example` ends the message when a required one is
  /// missing.
  std::optional<Text> text(const std::string& key, Presence presence,
                           const std::string& example = "",
                           Placeholders placeholders = Placeholders::none);

  /// A string, or a list of strings: what is there, each with placeholders filled in. Empty when
  /// absent or wrong.
  std::vector<Text> texts(const std::string& key, Presence presence,
                          const std::string& example = "");

  /// One of `choices`; `later` are values of later releases, refused by name. `fallback` when
  /// absent or wrong.
  std::string choice(const std::string& key, const std::vector<std::string>& choices,
                     const std::vector<std::string>& later, const std::string& fallback,
                     Presence presence = Presence::optional);

  /// A whole number within the bounds; `fallback` when absent or wrong.
  int64_t integer(const std::string& key, int64_t min, int64_t max, int64_t fallback);

  /// true or false; `fallback` when absent or of another kind.
  bool truth(const std::string& key, bool fallback);

  /// A table or an array of tables below this one; null when absent or of another kind.
  const Node* table(const std::string& key);
  const Node* tables(const std::string& key);

  /// Declares keys that a later release understands.
  void later(const std::vector<std::string>& keys);

  /// Reports every key that nobody asked for. Called once, last.
  void finish();

  Place place() const { return place_; }
  /// Of the value of `key`, which is there.
  Place place_of(const std::string& key) const { return table_.find(key)->place; }
  const std::string& title() const { return title_; }
  LoadContext& context() { return context_; }

 private:
  const Entry* find(const std::string& key);
  std::optional<Text> text_of(const std::string& key, const Node& value, const std::string& example,
                              Placeholders placeholders);
  const Node* of_kind(const std::string& key, NodeKind kind, const char* wanted);
  void missing(const std::string& key, const std::string& example);

  const Node& table_;
  Place place_;
  std::string title_;
  LoadContext& context_;
  std::vector<std::string> known_;
  std::vector<std::string> later_;
};

/// "a, b or c" with every name in quotes.
std::string listed(const std::vector<std::string>& names);

}  // namespace outbox::app
