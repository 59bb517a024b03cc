#pragma once
// with_connection: runs work on a connection of its own and turns every exception of the client
// library into an Error without secrets.

#include <algorithm>
#include <functional>
#include <pqxx/pqxx>
#include <string>

#include "outbox-schema/target.h"
#include "relay/core/result.h"

namespace outbox::schema {

/// What the server refused, in our words. Nothing of the transaction stays.
core::Error from_sql_error(const pqxx::sql_error& error, const std::string& op,
                           const std::string& subject);

/// The first line of a server's message, without "ERROR:  ".
std::string first_line(const std::string& text);

template <typename T>
core::Result<T> with_connection(const std::string& url, const std::string& op,
                                const std::function<core::Result<T>(pqxx::connection&)>& work) {
  const auto target = describe_target(url);
  if (!target) return target.error();
  const auto shown = [&](const std::exception& error) {
    std::string text = without_secrets(error.what(), url, *target);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  };
  try {
    pqxx::connection connection(url);
    return work(connection);
  } catch (const pqxx::in_doubt_error& error) {
    return core::Error{core::Fault::unknown,
                       "COMMIT_IN_DOUBT",
                       op,
                       target->shown,
                       shown(error),
                       "Ask with \"outbox schema status\"; \"apply\" may be run again"};
  } catch (const pqxx::broken_connection& error) {
    return core::Error{core::Fault::retry,
                       "UNREACHABLE",
                       op,
                       target->shown,
                       shown(error),
                       "Check that the server runs and that URL, user and password are right"};
  } catch (const pqxx::sql_error& error) {
    return from_sql_error(error, op, target->shown);
  } catch (const std::exception& error) {
    return core::Error{core::Fault::fatal, "CLIENT", op, target->shown, shown(error), ""};
  }
}

}  // namespace outbox::schema
