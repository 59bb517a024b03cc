#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {
namespace {

void append(std::vector<Finding>& all, std::vector<Finding> more) {
  for (Finding& finding : more) all.push_back(std::move(finding));
}

Finding unreachable(const core::Error& error) {
  return {Severity::error, error.code, core::to_string(error), error.hint};
}

}  // namespace

std::vector<Finding> inspect(const PostgresOptions& options) {
  const EventFd never;
  const Waiter waiter(never);
  auto sql = Connection::open(options.url, ConnectionKind::sql, application_name(options), waiter);
  if (!sql) return {unreachable(sql.error())};
  const auto facts = read_server_facts(*sql, options, waiter);
  if (!facts) return {unreachable(facts.error())};

  std::vector<Finding> findings = judge_server(*facts, options);
  const bool begun = facts->progress && facts->progress->end.valid();
  append(findings, judge_publication(*facts, options, begun));
  append(findings, judge_slot(*facts, options));
  return findings;
}

}  // namespace outbox::postgres
