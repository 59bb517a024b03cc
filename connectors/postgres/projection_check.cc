#include "connectors/postgres/projection_check.h"

#include <string>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/projection_sql.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/sqlstate.h"

namespace outbox::postgres {
namespace {

// Names are looked up in the catalogs: a cast to regclass or regprocedure, and a privilege asked
// for by name, fail where the schema is missing or may not be used, which is what is asked here.
constexpr const char* kFacts =
    "select current_user as login, r.oid is not null as inbox, "
    "coalesce(has_schema_privilege(r.pronamespace, 'usage') and "
    "has_function_privilege(r.oid, 'execute'), false) as may_receive, "
    "coalesce(has_schema_privilege(s.oid, 'usage'), false) as may_look, "
    "t.oid is not null as found, "
    "coalesce(has_table_privilege(t.oid, 'select') and has_table_privilege(t.oid, 'insert') and "
    "has_table_privilege(t.oid, 'update') and has_table_privilege(t.oid, 'delete'), false) "
    "as may_write, exists "
    "(select from pg_index i where i.indrelid = t.oid and i.indisunique and "
    "i.indpred is null and i.indexprs is null and (select array_agg(a.attname::text order by "
    "a.attname) from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any "
    "(i.indkey::int2[])) = array['aggregate_id', 'aggregate_type']) as has_key "
    "from (values (1)) as one_row "
    "left join (select p.oid, p.pronamespace from pg_proc p join pg_namespace n on "
    "n.oid = p.pronamespace where n.nspname = 'outbox' and p.proname = 'receive' and "
    "p.pronargs = 2 and p.proargtypes[0] = 'text'::regtype and "
    "p.proargtypes[1] = 'uuid'::regtype) as r on true "
    "left join pg_namespace s on s.nspname = $1 "
    "left join pg_class t on t.relnamespace = s.oid and t.relname = $2 and "
    "t.relkind in ('r', 'p', 'v', 'f')";

Finding trouble(const core::Error& error, const std::string& remedy) {
  const Trouble kind = trouble_of(error.code);
  const bool away = kind == Trouble::passing || kind == Trouble::server_stopping;
  return {away ? Severity::unreachable : Severity::error, error.code,
          core::to_string(core::Error{error.fault, "", error.op, error.subject, error.detail, ""}),
          error.hint.empty() ? remedy : error.hint};
}

std::vector<Finding> judge_table(const Rows& facts, const ProjectionOptions& options) {
  const std::string table = options.target.text();
  const std::string login = facts.value("login");
  if (!facts.truth("may_look")) {
    return {{Severity::error, "TARGET_DENIED",
             "schema " + options.target.schema + " is missing or " + login + " may not use it",
             projection_grants(options, login)}};
  }
  if (!facts.truth("found")) {
    return {{Severity::error, "TARGET_MISSING", "table " + table + " does not exist",
             projection_ddl(options)}};
  }
  std::vector<Finding> findings;
  if (!facts.truth("may_write")) {
    findings.push_back({Severity::error, "TARGET_DENIED", login + " may not write to " + table,
                        projection_grants(options, login)});
  }
  if (!facts.truth("has_key")) {
    findings.push_back({Severity::error, "TARGET_KEY_MISSING",
                        table + " has no unique key (aggregate_type, aggregate_id)",
                        "alter table " + table +
                            " add primary key (aggregate_type, "
                            "aggregate_id);"});
  }
  return findings;
}

}  // namespace

std::vector<Finding> inspect_projection(const ProjectionOptions& options) {
  const EventFd never;
  const Waiter waiter(never);
  PostgresOptions connection;
  connection.pipeline = options.pipeline;
  auto sql =
      Connection::open(options.url, ConnectionKind::sql, application_name(connection), waiter);
  if (!sql) return {trouble(sql.error(), "")};
  const auto facts = sql->run(kFacts, {options.target.schema, options.target.name}, "look at",
                              options.target.text(), waiter);
  if (!facts) return {trouble(facts.error(), "")};
  const std::string login = facts->value("login");
  if (!facts->truth("inbox")) {
    return {{Severity::error, "INBOX_MISSING",
             "this database has no outbox.receive(), by which events are written once",
             "psql -1 -v ON_ERROR_STOP=1 -f outbox-schema/migrations/V006__inbox.sql; or `outbox "
             "schema apply --database URL`"}};
  }
  std::vector<Finding> findings;
  if (!facts->truth("may_receive")) {
    findings.push_back({Severity::error, "INBOX_DENIED", login + " may not call outbox.receive()",
                        projection_grants(options, login)});
  }
  if (options.kind == ProjectionKind::table) {
    for (Finding& one : judge_table(*facts, options)) findings.push_back(std::move(one));
  }
  if (!findings.empty()) return findings;
  const auto prepared = sql->run("prepare outbox_projection " + projection_statement(options), {},
                                 "write to", options.target.text(), waiter);
  if (prepared) return {};
  const bool denied = trouble_of(prepared.error().code) == Trouble::access;
  return {trouble(prepared.error(),
                  denied ? projection_grants(options, login) : projection_ddl(options))};
}

}  // namespace outbox::postgres
