#include "outbox-schema/target.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>

namespace outbox::schema {
namespace {

struct OptionsFree {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsFree>;

std::string value_of(const Options& options, std::string_view keyword, const char* fallback) {
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (keyword != option->keyword) continue;
    if (option->val != nullptr) return option->val;
    const char* from_environment = option->envvar ? std::getenv(option->envvar) : nullptr;
    return from_environment != nullptr ? from_environment : fallback;
  }
  return fallback;
}

void replace_all(std::string& text, const std::string& from, std::string_view to) {
  if (from.empty()) return;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

core::Result<Target> describe_target(const std::string& url) {
  char* message = nullptr;
  const Options options(PQconninfoParse(url.c_str(), &message));
  PQfreemem(message);  // repeats the string, password and all
  if (!options) {
    return core::Error{core::Fault::reject,
                       "URL_INVALID",
                       "read",
                       "the database URL",
                       "libpq does not understand it",
                       "It looks like postgresql://user@host:5432/database; special characters in "
                       "a password are written as %40 and the like"};
  }
  const std::string user = value_of(options, "user", "");
  const std::string database = value_of(options, "dbname", user.c_str());
  Target target;
  target.shown = "database " + (database.empty() ? "of the same name as the user" : database) +
                 " on " + value_of(options, "host", "the local socket") + ":" +
                 value_of(options, "port", "5432") + (user.empty() ? "" : " as " + user);
  target.password = value_of(options, "password", "");
  return target;
}

std::string without_secrets(std::string text, const std::string& url, const Target& target) {
  replace_all(text, url, "(the database URL)");
  // Too short to be told from ordinary words; libpq prints no password of its own accord.
  constexpr size_t kHiddenMin = 4;
  if (target.password.size() >= kHiddenMin) replace_all(text, target.password, "***");
  return text;
}

}  // namespace outbox::schema
