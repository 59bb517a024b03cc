#include "connectors/postgres/detail/projection_refusal.h"

#include <array>

namespace outbox::postgres {
namespace {

struct Rule {
  std::string_view prefix;  // of the SQLSTATE; the first that fits decides
  Refusal refusal;
};

constexpr std::array kRules = {
    Rule{"08", Refusal::of_all},            // connection
    Rule{"25006", Refusal::of_all},         // a standby: the primary moved
    Rule{"25P03", Refusal::of_all},         // idle in a transaction for too long
    Rule{"28", Refusal::of_all},            // password, pg_hba.conf
    Rule{"3D000", Refusal::of_all},         // the database is gone
    Rule{"3F000", Refusal::of_all},         // the schema is gone
    Rule{"40", Refusal::of_the_moment},     // deadlock, serialization
    Rule{"42501", Refusal::of_all},         // a grant is missing
    Rule{"42P01", Refusal::of_all},         // the table is gone
    Rule{"42P10", Refusal::of_all},         // it has lost its primary key
    Rule{"42703", Refusal::of_all},         // a column is gone
    Rule{"42883", Refusal::of_all},         // the function, or outbox.receive, is gone
    Rule{"53", Refusal::of_all},            // disk, memory or connections are used up
    Rule{"55P03", Refusal::of_the_moment},  // lock_timeout
    Rule{"55006", Refusal::of_the_moment},  // in use
    Rule{"57014", Refusal::of_the_moment},  // statement_timeout, or somebody cancelled it
    Rule{"57", Refusal::of_all},            // the server stops
    Rule{"58", Refusal::of_all},            // its disk fails
    Rule{"F0", Refusal::of_all},            // its configuration
    Rule{"XX", Refusal::of_all},            // corruption, or a bug of the server
    // Values, constraints, RAISE of the team's function with whatever code it chose.
    Rule{"", Refusal::of_the_event},
};

}  // namespace

Refusal refusal_of(std::string_view sqlstate) {
  for (const Rule& rule : kRules) {
    if (sqlstate.starts_with(rule.prefix)) return rule.refusal;
  }
  return Refusal::of_the_event;
}

}  // namespace outbox::postgres
