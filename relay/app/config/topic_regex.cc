#define PCRE2_CODE_UNIT_WIDTH 8
#include "relay/app/config/topic_regex.h"

#include <pcre2.h>

#include <memory>
#include <utility>
#include <vector>

namespace outbox::app {
namespace {

using core::Error;
using core::Result;

constexpr size_t kSubjectBytesMax = 4'096;
constexpr uint32_t kMatchLimit = 100'000;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data() != nullptr ? text.data() : "");
}

/// A piece of the replacement: a text, or a group when `text` is empty.
struct Piece {
  std::string text;
  uint32_t group = 0;
};

Error refused(std::string code, std::string detail, std::string hint) {
  return Error{core::Fault::reject, std::move(code), "", "", std::move(detail), std::move(hint)};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class TopicRegex {
 public:
  static Result<std::shared_ptr<const TopicRegex>> make(const std::string& regex,
                                                        const std::string& replacement) {
    int fault = 0;
    PCRE2_SIZE at = 0;
    std::unique_ptr<pcre2_code, FreeCode> code(
        pcre2_compile(units(regex), regex.size(), PCRE2_UTF, &fault, &at, nullptr));
    if (!code) {
      char text[256] = "";
      pcre2_get_error_message(fault, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
      return refused("REGEX", std::string(text) + " at character " + std::to_string(at + 1),
                     "Write a regular expression as Java and PCRE2 take it.");
    }
    auto made = std::make_shared<TopicRegex>();
    made->code_ = std::move(code);
    made->context_.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(made->context_.get(), kMatchLimit);
    const Result<void> read = made->read_replacement(replacement);
    if (!read) return read.error();
    return std::shared_ptr<const TopicRegex>(std::move(made));
  }

  std::string topic(std::string_view subject) const {
    if (subject.size() > kSubjectBytesMax) return "";
    const std::unique_ptr<pcre2_match_data, FreeMatch> match(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    const int whole = find(subject, PCRE2_ANCHORED | PCRE2_ENDANCHORED, match.get());
    if (whole == PCRE2_ERROR_NOMATCH) return std::string(subject);
    if (whole < 0 || find(subject, 0, match.get()) < 0) return "";
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    std::string topic(subject.substr(0, bounds[0]));
    for (const Piece& piece : pieces_) {
      const PCRE2_SIZE begin = bounds[2 * piece.group];
      if (!piece.text.empty()) {
        topic += piece.text;
      } else if (begin != PCRE2_UNSET) {
        topic += subject.substr(begin, bounds[2 * piece.group + 1] - begin);
      }
    }
    return topic.append(subject.substr(bounds[1]));
  }

 private:
  int find(std::string_view subject, uint32_t options, pcre2_match_data* match) const {
    return pcre2_match(code_.get(), units(subject), subject.size(), 0, options, match,
                       context_.get());
  }

  Result<void> read_replacement(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      if (text[at] == '\\') {
        if (at + 1 == text.size()) {
          return refused("REPLACEMENT", "it ends in a backslash", "Write \\\\ for one.");
        }
        add(text[at + 1]);
        at += 2;
      } else if (text[at] == '$') {
        const Result<size_t> next = read_group(text, at + 1);
        if (!next) return next.error();
        at = *next;
      } else {
        add(text[at++]);
      }
    }
    return {};
  }

  void add(char c) {
    if (pieces_.empty() || pieces_.back().text.empty()) pieces_.emplace_back();
    pieces_.back().text += c;
  }

  Result<size_t> read_group(const std::string& text, size_t at) {
    if (at < text.size() && text[at] == '{') return read_named_group(text, at + 1);
    if (at == text.size() || !is_digit(text[at])) {
      return refused("REPLACEMENT", "a $ is followed by no group",
                     "Write $1, ${name}, or \\$ for the character.");
    }
    uint32_t count = 0;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_CAPTURECOUNT, &count);
    auto group = static_cast<uint32_t>(text[at++] - '0');
    // As in Java, further digits count as long as there is such a group.
    while (at < text.size() && is_digit(text[at])) {
      const uint32_t longer = group * 10 + static_cast<uint32_t>(text[at] - '0');
      if (longer > count) break;
      group = longer;
      ++at;
    }
    if (group > count) {
      return refused("REPLACEMENT", "there is no group $" + std::to_string(group),
                     "topic_regex has " + std::to_string(count) + " groups.");
    }
    pieces_.push_back({"", group});
    return at;
  }

  Result<size_t> read_named_group(const std::string& text, size_t at) {
    const size_t end = text.find('}', at);
    const std::string name = text.substr(at, end == std::string::npos ? end : end - at);
    const int group = pcre2_substring_number_from_name(code_.get(), units(name));
    if (end == std::string::npos || group < 0) {
      return refused("REPLACEMENT", "there is no group ${" + name + "}",
                     "Name it in topic_regex: (?<" + name + ">.*)");
    }
    pieces_.push_back({"", static_cast<uint32_t>(group)});
    return end + 1;
  }

  std::unique_ptr<pcre2_code, FreeCode> code_;
  std::unique_ptr<pcre2_match_context, FreeContext> context_;
  std::vector<Piece> pieces_;
};

}  // namespace

Result<flow::TopicRule> make_topic_rule(const std::string& regex, const std::string& replacement) {
  auto made = TopicRegex::make(regex, replacement);
  if (!made) return made.error();
  return flow::TopicRule{regex + " -> " + replacement,
                         [rule = *made](std::string_view type) { return rule->topic(type); }};
}

}  // namespace outbox::app
