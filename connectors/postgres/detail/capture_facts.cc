#include "connectors/postgres/detail/capture_facts.h"

#include <algorithm>

namespace outbox::postgres {
namespace {

using core::Result;

// A table of a publication that is not via the root is listed by its partitions only. to_jsonb,
// because row filters exist from Postgres 15 on.
constexpr const char* kTableQuery = R"sql(
select c.oid, c.relkind = 'p' as partitioned, c.relpersistence = 'u' as unlogged,
       pg_catalog.pg_has_role(c.relowner, 'usage') as owned,
       c.relreplident = 'f' as identity_full,
       exists (select from pg_catalog.pg_publication_tables t
               where t.pubname = $3 and t.schemaname = $1 and t.tablename = $2)
         or r.oid is not null as published,
       pg_catalog.to_jsonb(r) ->> 'prqual' is not null as filtered,
       (select p.oid::pg_catalog.regclass::text
          from pg_catalog.pg_partition_tree(c.oid) t join pg_catalog.pg_class p on p.oid = t.relid
         where p.relkind = 'r' and p.relreplident <> c.relreplident limit 1) as odd_partition
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join (pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p
             on p.oid = r.prpubid and p.pubname = $3) on r.prrelid = c.oid
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p'))sql";

constexpr const char* kColumnsQuery = R"sql(
select a.attname as name, a.attgenerated <> '' as generated,
       case c.relreplident when 'f' then true when 'n' then false else exists (
         select from pg_catalog.pg_index i
         where i.indrelid = c.oid
           and a.attnum = any ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])
           and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end)
       end as identity
from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
where a.attrelid = $1::pg_catalog.oid and a.attnum > 0 and not a.attisdropped
order by a.attnum)sql";

constexpr const char* kWithoutIdentityQuery = R"sql(
select distinct c.oid::pg_catalog.regclass::text as name
from (select pg_catalog.unnest($1::pg_catalog.oid[])
      union select k.oid from pg_catalog.pg_publication_tables t
            join pg_catalog.pg_namespace n on n.nspname = t.schemaname
            join pg_catalog.pg_class k on k.relnamespace = n.oid and k.relname = t.tablename
            where t.pubname = $2) w (oid)
cross join lateral (select w.oid union
                    select t.relid::pg_catalog.oid from pg_catalog.pg_partition_tree(w.oid) t)
  l (oid)
join pg_catalog.pg_class c on c.oid = l.oid
where c.relkind = 'r' and c.relpersistence = 'p' and c.relreplident <> 'f'
  and not exists (select from pg_catalog.pg_index i
                  where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                    and case c.relreplident when 'd' then i.indisprimary
                                            when 'i' then i.indisreplident else false end)
order by 1 limit 20)sql";

Result<CapturedTableFacts> read_table(Connection& sql, const TableName& name,
                                      const PostgresOptions& options, const Waiter& waiter) {
  const std::string subject = "table " + name.text();
  CapturedTableFacts table;
  table.table = name;
  const auto rows = sql.run(kTableQuery, {name.schema, name.name, options.publication}, "look at",
                            subject, waiter);
  if (!rows) return rows.error();
  if (rows->empty()) return table;
  table.oid = rows->number<uint32_t>("oid");
  table.partitioned = rows->truth("partitioned");
  table.unlogged = rows->truth("unlogged");
  table.owned = rows->truth("owned");
  table.published = rows->truth("published");
  table.filtered = rows->truth("filtered");
  table.identity_full = rows->truth("identity_full");
  table.odd_partition = rows->value("odd_partition");
  const auto columns =
      sql.run(kColumnsQuery, {rows->value("oid")}, "look at the columns of", subject, waiter);
  if (!columns) return columns.error();
  for (int row = 0; row < columns->count(); ++row) {
    const auto truth = [&](const char* column) { return columns->text(row, column) == "t"; };
    table.columns.push_back(
        {columns->text(row, "name").value_or(""), truth("identity"), truth("generated")});
  }
  return table;
}

}  // namespace

std::vector<TableName> captured_tables(const PostgresOptions& options) {
  std::vector<TableName> tables;
  for (const CaptureRule& rule : options.captures) {
    const auto same = [&](const TableName& table) { return table.text() == rule.table.text(); };
    if (std::none_of(tables.begin(), tables.end(), same)) tables.push_back(rule.table);
  }
  return tables;
}

Result<CaptureFacts> read_capture_facts(Connection& sql, const PostgresOptions& options,
                                        uint32_t outbox_table, const Waiter& waiter) {
  CaptureFacts facts;
  std::string wanted = "{" + std::to_string(outbox_table);
  for (const TableName& name : captured_tables(options)) {
    Result<CapturedTableFacts> table = read_table(sql, name, options, waiter);
    if (!table) return table.error();
    wanted += "," + std::to_string(table->oid);
    facts.tables.push_back(std::move(*table));
  }
  const auto rows = sql.run(kWithoutIdentityQuery, {wanted + "}", options.publication}, "look at",
                            "the replica identities", waiter);
  if (!rows) return rows.error();
  for (int row = 0; row < rows->count(); ++row) {
    facts.without_identity.push_back(rows->text(row, "name").value_or(""));
  }
  return facts;
}

}  // namespace outbox::postgres
