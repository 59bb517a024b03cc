#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/fork.h"
#include "connectors/postgres/detail/gap.h"
#include "connectors/postgres/detail/retention_findings.h"
#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/sqlstate.h"
#include "connectors/postgres/detail/timelines.h"
#include "connectors/postgres/finding.h"

namespace outbox::postgres {
namespace {

void append(std::vector<Finding>& all, std::vector<Finding> more) {
  for (Finding& finding : more) all.push_back(std::move(finding));
}

Finding trouble(const core::Error& error) {
  const Trouble kind = trouble_of(error.code);
  const bool away = kind == Trouble::passing || kind == Trouble::server_stopping;
  const std::string what =
      core::to_string(core::Error{error.fault, "", error.op, error.subject, error.detail, ""});
  return {away ? Severity::unreachable : Severity::error, error.code, what, error.hint};
}

std::vector<Finding> look_at_retention(Connection& sql, const ServerFacts& facts,
                                       const PostgresOptions& options, const Waiter& waiter) {
  if (!facts.has_retention || options.mode == Mode::status) {
    return judge_retention(facts, std::nullopt, options);
  }
  const auto state = read_retention_state(sql, options, waiter);
  if (!state) return {trouble(state.error())};
  return judge_retention(facts, *state, options);
}

// A relay needs a replication connection, and what was saved must fit the server behind it.
std::optional<Finding> look_at_replication(const ServerFacts& facts, const PostgresOptions& options,
                                           const Waiter& waiter) {
  auto replication =
      Connection::open(options.url, ConnectionKind::replication, application_name(options), waiter);
  if (!replication) return trouble(replication.error());
  const auto identity = read_identity(*replication, waiter);
  if (!identity) return trouble(identity.error());
  if (!facts.progress) return std::nullopt;
  const auto fork = read_fork(*replication, facts.progress->timeline, *identity, waiter);
  if (!fork) return trouble(fork.error());
  return judge_identity(*facts.progress, *identity, *fork, options);
}

}  // namespace

std::vector<Finding> inspect(const PostgresOptions& options) {
  const EventFd never;
  const Waiter waiter(never);
  auto sql = Connection::open(options.url, ConnectionKind::sql, application_name(options), waiter);
  if (!sql) return {trouble(sql.error())};
  const auto facts = read_server_facts(*sql, options, waiter);
  if (!facts) return {trouble(facts.error())};

  std::vector<Finding> findings = judge_server(*facts, options);
  append(findings, look_at_retention(*sql, *facts, options, waiter));
  if (options.mode != Mode::wal) return findings;
  const bool begun = facts->progress && facts->progress->end.valid();
  append(findings, judge_publication(*facts, options, begun));
  append(findings, judge_slot(*facts, options));
  if (auto gap = judge_gap(*facts, options)) findings.push_back(std::move(*gap));
  if (auto finding = look_at_replication(*facts, options, waiter)) {
    findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace outbox::postgres
