#include "outbox-schema/with_connection.h"

namespace outbox::schema {
namespace {

std::string hint_in(const std::string& text) {
  constexpr std::string_view kHint = "HINT:  ";
  const size_t at = text.find(kHint);
  return at == std::string::npos ? "" : first_line(text.substr(at + kHint.size()));
}

}  // namespace

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  constexpr std::string_view kPrefix = "ERROR:  ";
  if (line.starts_with(kPrefix)) line.erase(0, kPrefix.size());
  return line;
}

core::Error from_sql_error(const pqxx::sql_error& error, const std::string& op,
                           const std::string& subject) {
  const std::string text = error.what();
  core::Error result{core::Fault::fatal, error.sqlstate(), op, subject,
                     first_line(text),   hint_in(text)};
  if (error.sqlstate() == "55P03") {
    result.fault = core::Fault::retry;
    result.hint =
        "Somebody else holds a lock on the outbox tables, or migrates them. See "
        "pg_stat_activity, then run this again";
  } else if (error.sqlstate() == "42501" && result.hint.empty()) {
    result.hint = "Run it as a superuser, or as a role with CREATEROLE and CREATE on the database";
  }
  return result;
}

}  // namespace outbox::schema
