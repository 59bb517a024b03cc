#include "connectors/postgres/detail/heartbeat.h"

#include <array>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/takeover.h"

namespace outbox::postgres {
namespace {

// The sequence is read before the message is written: every number that was given out by then lies
// at or below last_seq, and what committed by then lies before the message. pg_sequence_last_value
// is NULL for a sequence that gave nothing out yet (is_called), where last_value alone is one too
// high. While rows are read again nobody has the slot, but somebody the pipeline's lock.
constexpr const char* kHeartbeatQuery = R"sql(
with first as materialized (
  select case when $4::text is null then null
              else coalesce(pg_catalog.pg_sequence_last_value($4::regclass), 0) end as last_seq)
select first.last_seq,
       pg_catalog.pg_logical_emit_message(false, 'outbox.heartbeat', '') as heartbeat,
       pg_catalog.pg_current_wal_lsn() as wal_end,
       s.confirmed_flush_lsn, s.restart_lsn, s.wal_status, s.safe_wal_size,
       coalesce(s.active_pid, (select h.pid from ($5) h)) as active_pid,
       p.oid as publication, r.oid as membership,
       coalesce(p.pubinsert
         and (p.pubviaroot
              or (select c.relkind <> 'p' from pg_catalog.pg_class c where c.oid = $3::oid))
         and (p.puballtables or r.oid is not null or exists (
                select from pg_catalog.pg_publication_tables t
                join pg_catalog.pg_namespace n on n.nspname = t.schemaname
                join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = t.tablename
                where t.pubname = p.pubname and c.oid = $3::oid)), false) as complete
from first
left join pg_catalog.pg_replication_slots s on s.slot_name = $1
left join pg_catalog.pg_publication p on p.pubname = $2
left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = $3::oid)sql";

}  // namespace

core::Result<HeartbeatPlan> plan_heartbeat(Connection& sql, const PostgresOptions& options,
                                           const Waiter& waiter) {
  const auto rows = sql.run(
      "select c.oid, (select s.sequence from (select pg_get_serial_sequence("
      "          format('%I.%I', n.nspname, c.relname), a.attname) as sequence"
      "            where has_schema_privilege(n.oid, 'usage')) s"
      "        where has_sequence_privilege(s.sequence, 'select')) as sequence"
      " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
      " left join pg_attribute a on a.attrelid = c.oid and a.attname = $3 and not a.attisdropped"
      " where n.nspname = $1 and c.relname = $2",
      {options.table.schema, options.table.name, options.columns.seq}, "look at",
      "table " + options.table.text(), waiter);
  if (!rows) return rows.error();
  HeartbeatPlan plan{kHeartbeatQuery, rows->text(0, "oid"), rows->text(0, "sequence")};
  const auto literal = [](const std::optional<std::string>& text) {
    return text ? quote_literal(*text) : "null";
  };
  // They are fixed for a session.
  const std::array<std::string, 5> parameters = {
      quote_literal(options.slot), quote_literal(options.publication), literal(plan.table),
      literal(plan.sequence), lock_holder_query(options.pipeline)};
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string mark = "$" + std::to_string(i + 1);
    std::string& text = plan.statement;
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
      text.replace(at, mark.size(), parameters[i]);
    }
  }
  return plan;
}

core::Result<Heartbeat> read_heartbeat(const Rows& rows) {
  if (rows.count() != 1) {
    return core::Error{core::Fault::retry,
                       "HEARTBEAT",
                       "read",
                       "the heartbeat's answer",
                       std::to_string(rows.count()) + " rows",
                       ""};
  }
  Heartbeat heartbeat;
  SourceFacts& facts = heartbeat.facts;
  if (const auto seq = rows.text(0, "last_seq")) facts.last_seq = to_number<uint64_t>(*seq);
  facts.heartbeat = rows.lsn("heartbeat");
  facts.wal_end = rows.lsn("wal_end");
  facts.confirmed_flush = rows.lsn("confirmed_flush_lsn");
  facts.restart = rows.lsn("restart_lsn");
  facts.wal_status = rows.value("wal_status");
  if (const auto bytes = rows.text(0, "safe_wal_size")) {
    facts.safe_wal_bytes = to_number<int64_t>(*bytes);
  }
  heartbeat.slot_active_pid = rows.number<int>("active_pid");
  heartbeat.publication = {rows.number<uint32_t>("publication"),
                           rows.number<uint32_t>("membership"), rows.truth("complete")};
  return heartbeat;
}

}  // namespace outbox::postgres
