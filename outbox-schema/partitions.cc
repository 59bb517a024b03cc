#include "outbox-schema/partitions.h"

#include "outbox-schema/with_connection.h"

namespace outbox::schema {
namespace {

// A fresh schema has them all, the one with number 1 among them.
constexpr const char* kMakePartitions = "select outbox.make_partitions(999999999)";

// A DETACH that was interrupted stands in the way of the next one.
constexpr const char* kEmptied =
    "select partition::text, attached, pending from outbox.emptied_partition"
    " order by pending desc, partition::text";

constexpr const char* kMayBeOwner =
    "select pg_has_role('outbox_owner', case when"
    " current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end)";

constexpr const char* kLockTimeout = "55P03";

bool has_retention(pqxx::transaction_base& sql) {
  return sql
      .exec1(
          "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
          " where n.nspname = 'outbox' and c.relname = 'emptied_partition')")[0]
      .as<bool>();
}

/// False: it holds rows, which nobody expects there, and stays.
bool drop(pqxx::nontransaction& sql, const pqxx::row& part, Upkeep& upkeep) {
  const auto name = part[0].as<std::string>();
  if (sql.exec1("select exists (select from " + name + ")")[0].as<bool>()) {
    upkeep.waits = name + " was emptied and has rows again; it stays";
    return false;
  }
  if (part[1].as<bool>()) {
    sql.exec("alter table outbox.event detach partition " + name +
             (part[2].as<bool>() ? " finalize" : " concurrently"));
  }
  sql.exec("drop table " + name);
  upkeep.dropped.push_back(name);
  return true;
}

Upkeep keep(pqxx::connection& connection, std::chrono::milliseconds lock_timeout) {
  Upkeep upkeep;
  // DETACH CONCURRENTLY runs outside of a transaction only.
  pqxx::nontransaction sql(connection);
  if (!has_retention(sql)) return upkeep;
  if (!sql.exec1(kMayBeOwner)[0].as<bool>()) {
    upkeep.waits = "the role is no member of outbox_owner, which partitions belong to";
    return upkeep;
  }
  try {
    sql.exec("set role outbox_owner");
    sql.exec("set lock_timeout = " + std::to_string(lock_timeout.count()));
    upkeep.made = sql.exec1(kMakePartitions)[0].as<int>();
    for (const auto& part : sql.exec(kEmptied)) {
      if (!drop(sql, part, upkeep)) break;
    }
  } catch (const pqxx::sql_error& error) {
    if (error.sqlstate() != kLockTimeout) throw;
    upkeep.waits = "a transaction that touched outbox.event is open, see pg_stat_activity";
  }
  return upkeep;
}

}  // namespace

core::Result<PartitionStatus> partition_status(const std::string& url) {
  return with_connection<PartitionStatus>(
      url, "look at the partitions of",
      [](pqxx::connection& connection) -> core::Result<PartitionStatus> {
        pqxx::work sql(connection);
        sql.exec("set transaction read only");
        PartitionStatus status;
        status.known = has_retention(sql);
        if (!status.known) return status;
        const auto row = sql.exec1(
            "select coalesce((select max(before_seq) from outbox.partition), 1) - 1"
            "       - (select case when is_called then last_value else 0 end"
            "          from outbox.event_seq),"
            "  coalesce((select removed_below from outbox.retention"
            "            where source_table = 'outbox.event'), 1),"
            "  (select count(*) from outbox.emptied_partition)");
        status.numbers_left = row[0].as<int64_t>();
        status.removed_below = row[1].as<int64_t>();
        status.emptied = row[2].as<int>();
        return status;
      });
}

core::Result<Upkeep> keep_partitions(const std::string& url,
                                     std::chrono::milliseconds lock_timeout) {
  return with_connection<Upkeep>(url, "look after the partitions of",
                                 [&](pqxx::connection& connection) -> core::Result<Upkeep> {
                                   return keep(connection, lock_timeout);
                                 });
}

}  // namespace outbox::schema
