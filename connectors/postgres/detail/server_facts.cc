#include "connectors/postgres/detail/server_facts.h"

namespace outbox::postgres {
namespace {

using core::Result;

constexpr const char* kServerQuery = R"sql(
select pg_catalog.current_setting('server_version_num') as version,
       pg_catalog.pg_is_in_recovery() as in_recovery,
       pg_catalog.current_database() as database,
       current_user as "user",
       r.rolreplication or r.rolsuper as may_replicate,
       pg_catalog.has_database_privilege(coalesce(s.nspowner, r.oid),
                                         pg_catalog.current_database(), 'create')
         as may_create_publication,
       pg_catalog.pg_get_userbyid(coalesce(s.nspowner, r.oid)) as publication_owner,
       pg_catalog.current_setting('wal_level') as wal_level,
       (select reset_val from pg_catalog.pg_settings where name = 'synchronous_commit')
         as synchronous_commit,
       exists (select from pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) as c(v)
               where c.v = 'synchronous_commit=off') as others_commit_asynchronously,
       (select setting from pg_catalog.pg_settings where name = 'max_slot_wal_keep_size')
         as max_slot_wal_keep_mb,
       pg_catalog.current_setting('max_replication_slots') as slots_max,
       (select pg_catalog.count(*) from pg_catalog.pg_replication_slots) as slots_used,
       pg_catalog.current_setting('max_wal_senders') as walsenders_max,
       (select pg_catalog.count(*) from pg_catalog.pg_stat_replication) as walsenders_used,
       exists (select from pg_catalog.pg_proc f
               join pg_catalog.pg_namespace n on n.oid = f.pronamespace
               where n.nspname = 'outbox' and f.proname = 'create_publication')
         as has_outbox_schema,
       e.oid is not null as has_emit,
       exists (select from pg_catalog.pg_attribute a
               where a.attrelid = p.oid and a.attname = 'reads_emitted') as has_reads_emitted,
       case when pg_catalog.has_sequence_privilege(e.oid, 'select')
            then pg_catalog.pg_sequence_last_value(e.oid) is not null end as emitted,
       exists (select from pg_catalog.pg_proc f
               where f.proname = 'pg_logical_emit_message'
                 and f.pronamespace = 'pg_catalog'::regnamespace
                 and pg_catalog.has_function_privilege('public', f.oid, 'execute'))
         as emit_is_forgeable,
       p.oid is not null as has_progress,
       pg_catalog.has_schema_privilege(p.relnamespace, 'usage')
         and pg_catalog.has_table_privilege(p.oid, 'select')
         and pg_catalog.has_table_privilege(p.oid, 'insert')
         and pg_catalog.has_table_privilege(p.oid, 'update') as may_use_progress,
       pg_catalog.has_schema_privilege(r3.relnamespace, 'usage')
         and pg_catalog.has_table_privilege(r3.oid, 'select') as has_retention
from pg_catalog.pg_roles r
left join pg_catalog.pg_namespace s on s.nspname = 'outbox' and $1 = 'outbox.event'
left join (pg_catalog.pg_class p join pg_catalog.pg_namespace pn
             on pn.oid = p.relnamespace and pn.nspname = 'outbox') on p.relname = 'progress'
left join pg_catalog.pg_class e on e.relnamespace = s.oid and e.relname = 'emitted'
left join pg_catalog.pg_class r3 on r3.relnamespace = p.relnamespace and r3.relname = 'retention'
where r.rolname = current_user)sql";

constexpr const char* kTableQuery = R"sql(
select c.oid, c.relkind = 'p' as partitioned, c.relpersistence = 'u' as unlogged,
       pg_catalog.has_schema_privilege(n.oid, 'usage')
         and pg_catalog.has_table_privilege(c.oid, 'select') as may_select,
       pg_catalog.pg_has_role(c.relowner, 'usage') as owned,
       pg_catalog.has_table_privilege(c.oid, 'delete') as may_delete,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) as rows_inserted,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) as rows_deleted,
       exists (select from pg_catalog.pg_constraint k join pg_catalog.pg_attribute a
                 on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
               where k.conrelid = c.oid and k.contype = 'c' and a.attname in ($4, $5))
         as payload_size_checked,
       case when pg_catalog.has_schema_privilege(n.oid, 'usage')
              and exists (select from pg_catalog.pg_attribute a
                         where a.attrelid = c.oid and a.attname = $3 and not a.attisdropped)
            then pg_catalog.pg_get_serial_sequence(
                   pg_catalog.format('%I.%I', n.nspname, c.relname), $3)
       end as sequence
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p'))sql";

// An identity column has no default in pg_attrdef, but nothing else can number it.
constexpr const char* kSequenceQuery = R"sql(
select pg_catalog.has_sequence_privilege(s.seqrelid, 'select, usage') as readable,
       s.seqcache as cache, s.seqincrement > 0 and not s.seqcycle as ascends,
       a.attidentity <> '' or coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
         like 'nextval(%' as by_default,
       exists (select from pg_catalog.pg_subscription_rel r where r.srrelid = a.attrelid)
         as subscribed
from pg_catalog.pg_sequence s
join pg_catalog.pg_attribute a on a.attrelid = $2::oid and a.attname = $3
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where s.seqrelid = $1::regclass)sql";

// A domain stands for its base type; no domain over a domain is looked into.
constexpr const char* kColumnsQuery = R"sql(
select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       case when t.typtype = 'd' then t.typbasetype else t.oid end as base_type,
       t.typtype = 'e' as is_enum, a.attnotnull
from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum)sql";

// A publication that is not via the root lists only partitions in pg_publication_tables. to_jsonb,
// because row filters exist from Postgres 15 on.
constexpr const char* kPublicationQuery = R"sql(
select p.oid, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubviaroot,
       p.puballtables
         or exists (select from pg_catalog.pg_publication_tables t
                    where t.pubname = p.pubname and t.schemaname = $2 and t.tablename = $3)
         or exists (select from pg_catalog.pg_publication_rel r
                    join pg_catalog.pg_class c on c.oid = r.prrelid
                    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                    where r.prpubid = p.oid and n.nspname = $2 and c.relname = $3) as has_table,
       exists (select from pg_catalog.pg_publication_rel r
               join pg_catalog.pg_class c on c.oid = r.prrelid
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               where r.prpubid = p.oid and n.nspname = $2 and c.relname = $3
                 and pg_catalog.to_jsonb(r) ->> 'prqual' is not null) as has_filter
from pg_catalog.pg_publication p where p.pubname = $1)sql";

constexpr const char* kSlotQuery = R"sql(
select s.plugin, s.database, s.temporary, s.active_pid, s.restart_lsn, s.confirmed_flush_lsn,
       s.wal_status, s.safe_wal_size,
       pg_catalog.to_jsonb(s) ->> 'invalidation_reason' as lost_because
from pg_catalog.pg_replication_slots s where s.slot_name = $1)sql";

constexpr const char* kMarkingQuery = R"sql(
select exists (select from pg_catalog.pg_attribute a
               where a.attrelid = $1::oid and a.attname = $2 and not a.attisdropped
                 and pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'update')) as may_mark,
       exists (select from pg_catalog.pg_attribute a
               where a.attrelid = $1::oid and a.attname = $3 and not a.attisdropped
                 and pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'update'))
         as may_tell_cause,
       exists (select from pg_catalog.pg_index i join pg_catalog.pg_attribute a
                 on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
               where i.indrelid = $1::oid and i.indisvalid and i.indpred is null
                 and a.attname = $4) as id_indexed,
       exists (select from pg_catalog.pg_index i
               where i.indrelid = $1::oid and i.indisvalid
                 and pg_catalog.pg_get_expr(i.indpred, i.indrelid) like '%READY%')
         as ready_indexed,
       (select pg_catalog.bool_and(pg_catalog.has_function_privilege(f.oid, 'execute'))
          from pg_catalog.pg_proc f where f.proname = 'pg_logical_emit_message'
            and f.pronamespace = 'pg_catalog'::regnamespace) as may_emit)sql";

constexpr const char* kLabelsQuery = R"sql(
select e.enumlabel as label from pg_catalog.pg_enum e join pg_catalog.pg_attribute a
  on a.atttypid = e.enumtypid
where a.attrelid = $1::oid and a.attname = $2)sql";

void fill_server(const Rows& rows, ServerFacts& facts) {
  facts.version = rows.number<int>("version");
  facts.in_recovery = rows.truth("in_recovery");
  facts.database = rows.value("database");
  facts.user = rows.value("user");
  facts.may_replicate = rows.truth("may_replicate");
  facts.may_create_publication = rows.truth("may_create_publication");
  facts.publication_owner = rows.value("publication_owner");
  facts.wal_level = rows.value("wal_level");
  facts.synchronous_commit = rows.value("synchronous_commit");
  facts.others_commit_asynchronously = rows.truth("others_commit_asynchronously");
  facts.max_slot_wal_keep_mb = rows.number<int64_t>("max_slot_wal_keep_mb");
  facts.slots = {rows.number<int>("slots_used"), rows.number<int>("slots_max")};
  facts.walsenders = {rows.number<int>("walsenders_used"), rows.number<int>("walsenders_max")};
  facts.has_outbox_schema = rows.truth("has_outbox_schema");
  if (rows.truth("has_emit")) {
    facts.emit = rows.truth("emit_is_forgeable") ? Emit::forgeable : Emit::guarded;
  }
  facts.has_reads_emitted = rows.truth("has_reads_emitted");
  facts.has_retention = rows.truth("has_retention");
  facts.emitted = rows.truth("emitted");
  if (rows.truth("has_progress")) {
    facts.progress_table =
        rows.truth("may_use_progress") ? ProgressTable::usable : ProgressTable::denied;
  }
}

Result<std::optional<TableFacts>> read_table(Connection& sql, const PostgresOptions& options,
                                             const Waiter& waiter) {
  const std::string subject = "table " + options.table.text();
  const auto rows = sql.run(kTableQuery,
                            {options.table.schema, options.table.name, options.columns.seq,
                             options.columns.payload, options.columns.payload_bytes},
                            "look at", subject, waiter);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<TableFacts>();
  TableFacts table;
  table.oid = rows->number<uint32_t>("oid");
  table.partitioned = rows->truth("partitioned");
  table.unlogged = rows->truth("unlogged");
  table.may_select = rows->truth("may_select");
  table.owned = rows->truth("owned");
  table.may_delete = rows->truth("may_delete");
  table.rows_inserted = rows->number<int64_t>("rows_inserted");
  table.rows_deleted = rows->number<int64_t>("rows_deleted");
  table.payload_size_checked = rows->truth("payload_size_checked");
  table.sequence = rows->value("sequence");
  if (!table.sequence.empty()) {
    const auto sequence =
        sql.run(kSequenceQuery, {table.sequence, rows->value("oid"), options.columns.seq},
                "look at", "sequence " + table.sequence, waiter);
    if (!sequence) return sequence.error();
    table.sequence_readable = sequence->truth("readable");
    table.sequence_cache = sequence->number<int64_t>("cache");
    table.sequence_ascends = sequence->truth("ascends");
    table.seq_by_default = sequence->truth("by_default");
    table.subscribed = sequence->truth("subscribed");
  }
  if (table.may_select && table.partitioned && options.table.text() == "outbox.event") {
    const auto kept = sql.run("select min(from_seq) as seq from outbox.partition", {}, "look at",
                              "the partitions of " + options.table.text(), waiter);
    if (!kept) return kept.error();
    if (const auto seq = kept->text(0, "seq")) table.first_seq_kept = to_number<uint64_t>(*seq);
  }
  const auto columns =
      sql.run(kColumnsQuery, {rows->value("oid")}, "look at the columns of", subject, waiter);
  if (!columns) return columns.error();
  for (int row = 0; row < columns->count(); ++row) {
    const auto text = [&](const char* name) { return columns->text(row, name).value_or(""); };
    table.columns.push_back({text("attname"), text("type"), to_number<uint32_t>(text("base_type")),
                             text("is_enum") == "t", text("attnotnull") == "t"});
  }
  return std::optional(std::move(table));
}

// Read after the counters of the table: what they count as deleted by retention is noted here.
Result<Removed> read_removed(Connection& sql, const PostgresOptions& options,
                             const Waiter& waiter) {
  const auto rows =
      sql.run("select removed_below, removed_rows from outbox.retention where source_table = $1",
              {options.table.text()}, "look at", "outbox.retention", waiter);
  if (!rows) return rows.error();
  if (rows->empty()) return Removed{};
  return Removed{rows->number<uint64_t>("removed_below"), rows->number<int64_t>("removed_rows")};
}

Result<MarkingFacts> read_marking(Connection& sql, const PostgresOptions& options, uint32_t table,
                                  const Waiter& waiter) {
  const ColumnNames& names = options.columns;
  const std::string oid = std::to_string(table);
  const std::string subject = "table " + options.table.text();
  const auto rows = sql.run(kMarkingQuery, {oid, names.status, names.cause, names.id}, "look at",
                            subject, waiter);
  if (!rows) return rows.error();
  MarkingFacts marking{rows->truth("may_mark"),   rows->truth("may_tell_cause"),
                       rows->truth("id_indexed"), rows->truth("ready_indexed"),
                       rows->truth("may_emit"),   {}};
  const auto labels =
      sql.run(kLabelsQuery, {oid, names.status}, "look at the status of", subject, waiter);
  if (!labels) return labels.error();
  for (int row = 0; row < labels->count(); ++row) {
    marking.labels.push_back(labels->text(row, "label").value_or(""));
  }
  return marking;
}

Result<std::optional<PublicationFacts>> read_publication(Connection& sql,
                                                         const PostgresOptions& options,
                                                         const Waiter& waiter) {
  const auto rows =
      sql.run(kPublicationQuery, {options.publication, options.table.schema, options.table.name},
              "look at", "publication " + options.publication, waiter);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<PublicationFacts>();
  PublicationFacts publication;
  publication.oid = rows->number<uint32_t>("oid");
  publication.all_tables = rows->truth("puballtables");
  publication.has_table = rows->truth("has_table");
  publication.inserts = rows->truth("pubinsert");
  publication.updates = rows->truth("pubupdate");
  publication.deletes = rows->truth("pubdelete");
  publication.via_root = rows->truth("pubviaroot");
  publication.has_filter = rows->truth("has_filter");
  return std::optional(publication);
}

}  // namespace

Result<std::optional<SlotFacts>> read_slot(Connection& sql, const std::string& slot,
                                           const Waiter& waiter) {
  const auto rows = sql.run(kSlotQuery, {slot}, "look at", "slot " + slot, waiter);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<SlotFacts>();
  SlotFacts facts;
  facts.plugin = rows->value("plugin");
  facts.database = rows->value("database");
  facts.wal_status = rows->value("wal_status");
  facts.lost_because = rows->value("lost_because");
  facts.temporary = rows->truth("temporary");
  facts.confirmed_flush = rows->lsn("confirmed_flush_lsn");
  facts.restart = rows->lsn("restart_lsn");
  if (const auto pid = rows->text(0, "active_pid")) facts.active_pid = to_number<int>(*pid);
  if (const auto bytes = rows->text(0, "safe_wal_size")) {
    facts.safe_wal_bytes = to_number<int64_t>(*bytes);
  }
  return std::optional(std::move(facts));
}

const char* const kTimelineQuery =
    "select case when pg_is_in_recovery() then 0 else"
    " ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int end as timeline";

Result<ServerIdentity> read_identity(Connection& replication, const Waiter& waiter) {
  const auto rows = replication.run("IDENTIFY_SYSTEM", {}, "identify", "the server", waiter);
  if (!rows) return rows.error();
  return ServerIdentity{rows->value("systemid"), rows->number<uint32_t>("timeline"),
                        rows->lsn("xlogpos")};
}

ProgressFacts progress_of(const Rows& rows) {
  ProgressFacts progress;
  progress.system_id = rows.value("system_id");
  progress.timeline = rows.number<uint32_t>("timeline");
  progress.slot = rows.value("slot");
  progress.end = rows.lsn("end_lsn");
  progress.commit = rows.lsn("commit_lsn");
  progress.ordinal = rows.number<uint64_t>("ordinal");
  if (const auto seq = rows.text(0, "delivered_seq")) {
    progress.delivered_seq = to_number<uint64_t>(*seq);
  }
  progress.epoch = rows.number<uint64_t>("epoch");
  return progress;
}

Result<ServerFacts> read_server_facts(Connection& sql, const PostgresOptions& options,
                                      const Waiter& waiter) {
  ServerFacts facts;
  const auto server =
      sql.run(kServerQuery, {options.table.text()}, "look at", "the server", waiter);
  if (!server) return server.error();
  fill_server(*server, facts);

  auto table = read_table(sql, options, waiter);
  if (!table) return table.error();
  facts.table = std::move(*table);
  if (facts.has_retention && facts.table) {
    const Result<Removed> removed = read_removed(sql, options, waiter);
    if (!removed) return removed.error();
    facts.table->removed = *removed;
  }
  if (options.mode == Mode::status && facts.table) {
    auto marking = read_marking(sql, options, facts.table->oid, waiter);
    if (!marking) return marking.error();
    facts.marking = std::move(*marking);
  }
  const bool updates = !options.captures.empty() || options.on_update != OnUpdate::ignore;
  if (options.mode == Mode::wal && updates) {
    auto captures = read_capture_facts(sql, options, facts.table ? facts.table->oid : 0, waiter);
    if (!captures) return captures.error();
    facts.captures = std::move(*captures);
  }
  auto publication = read_publication(sql, options, waiter);
  if (!publication) return publication.error();
  facts.publication = *publication;
  auto slot = read_slot(sql, options.slot, waiter);
  if (!slot) return slot.error();
  facts.slot = std::move(*slot);

  if (facts.progress_table == ProgressTable::usable) {
    const auto progress = sql.run("select * from outbox.progress where pipeline = $1",
                                  {options.pipeline}, "read", "outbox.progress", waiter);
    if (!progress) return progress.error();
    if (!progress->empty()) facts.progress = progress_of(*progress);
  }
  return facts;
}

}  // namespace outbox::postgres
