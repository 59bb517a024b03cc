#pragma once
// JsonExpansion: `table.expand.json.payload` of Debezium's Outbox Event Router behind a
// JsonConverter without schemas: the payload's JSON as JSON, in the shape that its Connect schema
// leaves of it.
//
//   - Members that are null are left out, unless JsonNulls::kept. Members that are an empty array
//     are left out.
//   - Spaces go, the order of members stays; of two with one name the last value counts, at the
//     first one's place.
//   - A text that is no object or array, an array whose elements differ in type, or one of nulls
//     only (unless kept) is not expanded at all: expand() says so, and it stays a string.
//
// What is kept on purpose although the router loses it: every digit of a number, members that only
// some objects of an array have, and a top-level array (its task fails on one).
//
// Bounded: deeper than 128 levels is not expanded. Thread: one.

#include <memory>
#include <string>
#include <string_view>

namespace outbox::kafka {

enum class JsonNulls : uint8_t { left_out, kept };

class JsonExpansion {
 public:
  explicit JsonExpansion(JsonNulls nulls);
  ~JsonExpansion();
  JsonExpansion(JsonExpansion&&) noexcept;
  JsonExpansion& operator=(JsonExpansion&&) = delete;

  /// Appends the expanded JSON to `out`. False, with `out` as it was, when it cannot be expanded.
  bool expand(std::string_view payload, std::string& out);

 private:
  class Writer;
  struct Parser;
  JsonNulls nulls_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace outbox::kafka
