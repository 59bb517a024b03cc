#pragma once
// Table: rows of text in columns, for people. Cells become one line, without control characters.

#include <functional>
#include <string>
#include <vector>

#include "relay/app/cli/terminal.h"

namespace outbox::app {

class Table {
 public:
  using Row = std::vector<std::string>;

  /// `headings` as many as each row has cells; `shaded` is the column that is coloured.
  explicit Table(Row headings, size_t shaded = kNone)
      : headings_(std::move(headings)), shaded_(shaded) {}

  /// `below`: whole lines under the row, written as they are.
  void add(Row row, Shade shade = Shade::plain, std::string below = "");

  enum class Headings { shown, left_out };
  void write(const Terminal& terminal, Headings headings = Headings::shown) const;

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Entry {
    Row cells;
    Shade shade = Shade::plain;
    std::string below;
  };
  void write_row(const Entry& entry, const std::vector<size_t>& widths,
                 const Terminal& terminal) const;

  Row headings_;
  size_t shaded_;
  std::vector<Entry> entries_;
};

}  // namespace outbox::app
