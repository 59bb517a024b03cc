#include "connectors/postgres/detail/projection_sql.h"

#include <string_view>

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

constexpr std::string_view kTypes = "(text, uuid, text, text, text, bytea, text, text) as ";

// Bytes that are no JSON are refused by the database, and so by it alone.
constexpr std::string_view kPayload = "convert_from($6, 'UTF8')::jsonb";

constexpr std::string_view kCommitTime =
    "timestamptz '1970-01-01 00:00+00' + make_interval(hours => ($8::bigint / "
    "3600000000)::integer, secs => ($8::bigint % 3600000000) / 1e6)";

// Both parts read `first`, so the event is received exactly once, also where there is nothing to
// delete.
std::string table_statement(const std::string& target) {
  std::string sql(kTypes);
  sql += "with first as materialized (select outbox.receive($1, $2) as it), put as (insert into ";
  sql += target;
  sql +=
      " (aggregate_type, aggregate_id, event_id, event_type, payload, headers, committed_at) "
      "select $3, $4, $2, $5, ";
  sql += kPayload;
  sql += ", $7::jsonb, ";
  sql += kCommitTime;
  sql +=
      " from first where it and $6 is not null on conflict (aggregate_type, aggregate_id) do "
      "update set event_id = excluded.event_id, event_type = excluded.event_type, payload = "
      "excluded.payload, headers = excluded.headers, committed_at = excluded.committed_at), gone "
      "as (delete from ";
  sql += target;
  sql +=
      " t using first where first.it and $6 is null and t.aggregate_type = $3 and t.aggregate_id "
      "= $4) select it from first";
  return sql;
}

std::string function_statement(const std::string& target) {
  std::string sql(kTypes);
  sql += "with first as materialized (select outbox.receive($1, $2) as it) select ";
  sql += target;
  sql += "($2, $3, $4, $5, ";
  sql += kPayload;
  // The commit time is no argument; naming it keeps one list of parameters for both kinds.
  sql += ", $7::jsonb) from first where it and $8 is not null";
  return sql;
}

}  // namespace

std::string projection_statement(const ProjectionOptions& options) {
  const std::string target = table_sql(options.target);
  return options.kind == ProjectionKind::table ? table_statement(target)
                                               : function_statement(target);
}

std::string projection_ddl(const ProjectionOptions& options) {
  if (options.kind == ProjectionKind::function) {
    return "create function " + options.target.text() +
           "(id uuid, aggregate_type text, aggregate_id text, event_type text, payload jsonb, "
           "headers jsonb) returns void language plpgsql as $$ begin /* what is to be done */ end "
           "$$;";
  }
  return "create table " + options.target.text() +
         " (aggregate_type text, aggregate_id text, event_id uuid not null, event_type text not "
         "null, payload jsonb not null, headers jsonb not null, committed_at timestamptz not null, "
         "primary key (aggregate_type, aggregate_id));";
}

std::string projection_grants(const ProjectionOptions& options, const std::string& login) {
  const std::string target = options.target.text();
  return "grant outbox_consumer to " + quote_identifier(login) + "; grant usage on schema " +
         options.target.schema + " to " + quote_identifier(login) + "; " +
         (options.kind == ProjectionKind::table
              ? "grant select, insert, update, delete on " + target
              : "grant execute on function " + target) +
         " to " + quote_identifier(login) + ";";
}

}  // namespace outbox::postgres
