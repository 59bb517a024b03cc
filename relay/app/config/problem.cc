#include "relay/app/config/problem.h"

#include <algorithm>

namespace outbox::app {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr size_t kShownMax = 80;
  std::string out = "\"";
  append_escaped(out, text.substr(0, kShownMax));
  if (text.size() > kShownMax) out += "...";
  out += '"';
  return out;
}

std::string to_string(std::string_view file, const Problem& problem) {
  std::string out(file);
  if (problem.place.line > 0) {
    out += ':' + std::to_string(problem.place.line) + ':' + std::to_string(problem.place.column);
  }
  out += ": ";
  append_escaped(out, problem.what);
  out += '.';
  if (!problem.remedy.empty()) {
    out += ' ';
    append_escaped(out, problem.remedy);
  }
  return out;
}

void sort_by_place(Problems& problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.place < b.place; });
}

}  // namespace outbox::app
