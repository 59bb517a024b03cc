#include "connectors/postgres/detail/removal.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/table_findings.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

constexpr uint64_t kBatchRows = 1000;
// Of 8 kB: a thousand rows or so, at 250 bytes each.
constexpr uint64_t kBatchBlocks = 32;
constexpr int kPauseTimes = 4;

core::Duration of_seconds(const std::string& text) {
  return std::chrono::duration_cast<core::Duration>(
      std::chrono::duration<double>(to_number<double>(text)));
}

std::string interval_of(const PostgresOptions& options) {
  using std::chrono::milliseconds;
  const auto age = std::chrono::duration_cast<milliseconds>(options.retention);
  return std::to_string(age.count()) + " milliseconds";
}

class Remover {
 public:
  Remover(Connection& sql, const PostgresOptions& options, RemovalPlace& place,
          const Waiter& waiter)
      : sql_(sql), options_(options), place_(place), waiter_(waiter) {}

  Result<Round> run() {
    if (is_our_table(options_.table)) return empty_partitions();
    if (const auto locked = lock(); !locked) return locked.error();
    return options_.mode == Mode::status ? delete_sent() : delete_numbered();
  }

 private:
  std::string subject() const { return "table " + options_.table.text(); }

  Result<Rows> ask(const std::string& query, const Parameters& parameters) {
    auto rows = sql_.run(query, parameters, "remove old rows of", subject(), waiter_);
    if (rows) return rows;
    Error error = rows.error();
    // No such function, or no such schema: it was made before there was retention.
    if (error.code == "42883" || error.code == "3F000") error.hint = "Run: outbox schema apply";
    return error;
  }

  Result<Round> empty_partitions() {
    const auto rows = ask("select * from outbox.retain($1::interval)", {interval_of(options_)});
    if (!rows) return rows.error();
    Round round;
    round.partitions = rows->number<uint64_t>("emptied");
    round.freed_bytes = rows->number<int64_t>("freed_bytes");
    place_.after = rows->number<uint64_t>("removed_below") - 1;
    round.kept = rows->number<uint64_t>("last_seq") - place_.after;
    round.held_by = rows->value("held_by");
    round.held_for = of_seconds(rows->value("held_seconds"));
    return round;
  }

  // The session's; who has it may work for as long as there is something to remove.
  Result<void> lock() {
    const auto held =
        ask("select pg_try_advisory_lock(hashtextextended($1, 0)) as held,"
            " set_config('lock_timeout', '100ms', false) as patience",
            {"outbox retention " + options_.table.text()});
    if (!held) return held.error();
    if (held->truth("held")) return {};
    return Error{core::Fault::retry,          kOtherAtWork,
                 "remove old rows of",        subject(),
                 "another relay is doing it", ""};
  }

  Result<Round> delete_numbered() {
    const std::string seq = quote_identifier(options_.columns.seq);
    const std::string table = table_sql(options_.table);
    const auto last =
        ask("select pg_sequence_last_value(s.name::regclass) as seq, s.name is null as unnumbered"
            " from (select pg_get_serial_sequence($1, $2) as name) s",
            {table, options_.columns.seq});
    if (!last) return last.error();
    if (last->truth("unnumbered")) {
      return Error{core::Fault::reject,
                   "RETENTION_NO_NUMBER",
                   "remove old rows of",
                   subject(),
                   "its rows have no number by which to know what is delivered",
                   ""};
    }
    const uint64_t newest = last->number<uint64_t>("seq");
    const auto limits = ask("select * from outbox.retention_limit($1, $2::bigint, $3::interval)",
                            {options_.table.text(), std::to_string(newest), interval_of(options_)});
    if (!limits) return limits.error();
    const uint64_t old = limits->number<uint64_t>("old_seq");
    const uint64_t delivered = limits->number<uint64_t>("delivered_seq");
    const std::string may_go = std::to_string(std::min(old, delivered));

    // In one statement, so that who reads rows again knows of all that is gone.
    const std::string remove =
        "with gone as (delete from " + table + " where " + seq + " = any(array(select " + seq +
        " from " + table + " where " + seq + " > $1::bigint and " + seq +
        " <= $2::bigint order by " + seq + " limit " + std::to_string(kBatchRows) +
        ")) returning " + seq +
        " as seq), total as (select count(*) as rows, max(seq) as last from gone),"
        " noted as (update outbox.retention r set removed_rows = r.removed_rows + t.rows,"
        " removed_below = greatest(r.removed_below, t.last + 1)"
        " from total t where r.source_table = $3 and t.rows > 0) select * from total";
    Round round;
    const Result<void> done = in_batches([&]() -> Result<bool> {
      const auto gone = ask(remove, {std::to_string(place_.after), may_go, options_.table.text()});
      if (!gone) return gone.error();
      const uint64_t rows = gone->number<uint64_t>("rows");
      round.rows += rows;
      if (rows > 0) place_.after = gone->number<uint64_t>("last");
      return rows > 0;
    });
    if (!done) return done.error();
    round.kept = newest - std::min(newest, place_.after);
    if (old > delivered) round.held_by = limits->value("slowest");
    return note_held(std::move(round));
  }

  // Since when something that is old enough stays, also over restarts.
  Result<Round> note_held(Round round) {
    const auto held =
        ask("update outbox.retention set held_since = case when $2::boolean then"
            " coalesce(held_since, clock_timestamp()) end where source_table = $1"
            " returning extract(epoch from clock_timestamp() - held_since) as seconds",
            {options_.table.text(), round.held_by.empty() ? "f" : "t"});
    if (!held) return held.error();
    round.held_for = of_seconds(held->value("seconds"));
    return round;
  }

  Result<Round> delete_sent() {
    const std::string table = table_sql(options_.table);
    const auto size =
        ask("select coalesce(max(pg_relation_size(t.relid)), 0)"
            " / current_setting('block_size')::bigint as blocks"
            " from (select relid from pg_partition_tree($1::regclass) where isleaf"
            " union select $1::regclass) t",
            {table});
    if (!size) return size.error();
    const uint64_t blocks = size->number<uint64_t>("blocks");
    const std::string remove =
        "with gone as (delete from " + table + " where ctid >= $1::tid and ctid < $2::tid and " +
        quote_identifier(options_.columns.status) + " = 'SENT' and " +
        quote_identifier(options_.columns.created_at) +
        " < now() - $3::interval returning 1) select count(*) as rows from gone";
    Round round;
    uint64_t block = 0;
    const Result<void> done = in_batches([&]() -> Result<bool> {
      const uint64_t end = block + kBatchBlocks;
      const auto gone = ask(remove, {"(" + std::to_string(std::exchange(block, end)) + ",0)",
                                     "(" + std::to_string(end) + ",0)", interval_of(options_)});
      if (!gone) return gone.error();
      round.rows += gone->number<uint64_t>("rows");
      return block < blocks;
    });
    if (!done) return done.error();
    return round;
  }

  // `batch` says whether there may be more.
  template <typename Batch>
  Result<void> in_batches(Batch batch) {
    while (true) {
      const core::Instant begin = std::chrono::steady_clock::now();
      const Result<bool> more = batch();
      if (!more) return more.error();
      if (!*more) return {};
      const core::Instant end = std::chrono::steady_clock::now();
      if (waiter_.pause(end + kPauseTimes * (end - begin)) == Wait::called_off) {
        return called_off("remove old rows");
      }
    }
  }

  Connection& sql_;
  const PostgresOptions& options_;
  RemovalPlace& place_;
  const Waiter& waiter_;
};

}  // namespace

Result<Round> remove_old(Connection& sql, const PostgresOptions& options, RemovalPlace& place,
                         const Waiter& waiter) {
  return Remover(sql, options, place, waiter).run();
}

}  // namespace outbox::postgres
