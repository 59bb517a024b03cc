#include "connectors/postgres/detail/sqlstate.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace outbox::postgres {
namespace {

constexpr size_t kSqlstateSize = 5;

bool is_sqlstate(std::string_view text) {
  return text.size() == kSqlstateSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// "... failed: FATAL:  28P01: the text" in its parts; nothing if the line has no SQLSTATE.
std::optional<ConnectFailure> server_answer(std::string_view line) {
  for (size_t at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
    const std::string_view code = line.substr(at + 3, kSqlstateSize);
    const std::string_view after = line.substr(std::min(line.size(), at + 3 + kSqlstateSize));
    if (!is_sqlstate(code) || !after.starts_with(": ")) continue;
    const size_t severity = line.rfind(' ', at);
    std::string text(severity == std::string_view::npos ? "" : line.substr(0, severity + 1));
    text += after.substr(2);
    return ConnectFailure{std::string(code), std::move(text)};
  }
  return std::nullopt;
}

}  // namespace

Trouble trouble_of(std::string_view sqlstate) {
  const std::string_view category = sqlstate.substr(0, 2);
  if (sqlstate == "55006") return Trouble::slot_active;
  if (sqlstate == "57P03") return Trouble::server_stopping;
  if (category == "28" || sqlstate == "42501") return Trouble::access;
  // Missing objects, wrong types, a database without logical decoding: the same tomorrow.
  if (one_of(category, {"42", "22", "0A"})) return Trouble::lasting;
  if (one_of(sqlstate, {"3D000", "3F000", "55000", "25006"})) return Trouble::lasting;
  return Trouble::passing;
}

core::Fault fault_of(Trouble trouble) {
  return trouble == Trouble::lasting ? core::Fault::fatal : core::Fault::retry;
}

std::string first_line(std::string_view message) {
  std::string_view line = message.substr(0, message.find('\n'));
  for (const std::string_view severity : {"ERROR:  ", "FATAL:  ", "PANIC:  "}) {
    if (line.starts_with(severity)) line.remove_prefix(severity.size());
  }
  return std::string(line);
}

// One line an address that was tried, each perhaps with indented lines after it:
//   connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused
//   connection to server at "db" (10.0.0.2), port 5432 failed: FATAL:  28P01: password ...
// The severity may be in any language. What a server said counts more than that another was silent.
ConnectFailure read_connect_failure(std::string_view message) {
  ConnectFailure failure{"08006", first_line(message)};
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (auto said = server_answer(line)) return *said;
    if (line.find(" failed: ") != std::string_view::npos) failure.text = std::string(line);
  }
  return failure;
}

}  // namespace outbox::postgres
