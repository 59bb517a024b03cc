#pragma once
// Secret: a value that must not reach a log, an error, a page or a process list: a database URL, a
// password, a token. It cannot be streamed, formatted or turned into JSON: such code does not
// compile. reveal() is the one way out, and every use of it can be found by its name.
//
// Lifetime: owns its text. Copies are as secret as the first one.

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::app {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  /// The text itself, for the client library that needs it and for nobody else.
  const std::string& reveal() const { return text_; }

  bool empty() const { return text_.empty(); }

  friend bool operator==(const Secret&, const Secret&) = default;

  template <typename Stream>
  friend Stream& operator<<(Stream&, const Secret&) = delete;

 private:
  std::string text_;
};

/// Keeps fmt (and so spdlog) and nlohmann::json out.
std::string_view format_as(const Secret&) = delete;
template <typename Json>
void to_json(Json&, const Secret&) = delete;

/// Compares in a time that depends on the length of `offered` only, never on where the two differ.
bool equal_in_constant_time(const Secret& secret, std::string_view offered);

}  // namespace outbox::app
