#include "relay/app/cli/table.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "relay/app/cli/payload_text.h"

namespace outbox::app {
namespace {

/// Characters, not bytes.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void Table::add(Row row, Shade shade, std::string below) {
  for (std::string& cell : row) cell = one_line(cell);
  entries_.push_back({std::move(row), shade, std::move(below)});
}

void Table::write(const Terminal& terminal, Headings headings) const {
  std::vector<size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(width_of(heading));
  for (const Entry& entry : entries_) {
    for (size_t i = 0; i < entry.cells.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(entry.cells[i]));
    }
  }
  if (headings == Headings::shown) write_row({headings_, Shade::plain, ""}, widths, terminal);
  for (const Entry& entry : entries_) write_row(entry, widths, terminal);
}

void Table::write_row(const Entry& entry, const std::vector<size_t>& widths,
                      const Terminal& terminal) const {
  for (size_t i = 0; i < entry.cells.size(); ++i) {
    const std::string& cell = entry.cells[i];
    terminal.out << (i == shaded_ ? terminal.shaded(entry.shade, cell) : cell);
    if (i + 1 < entry.cells.size()) {
      terminal.out << std::string(widths[i] - width_of(cell) + 2, ' ');
    }
  }
  terminal.out << '\n' << entry.below;
}

}  // namespace outbox::app
