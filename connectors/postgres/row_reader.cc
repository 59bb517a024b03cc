#include "connectors/postgres/row_reader.h"

#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/sqlstate.h"
#include "relay/core/assert.h"
#include "relay/core/letters.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Fault;
using core::Result;

constexpr uint64_t kPieceRows = 20'000;
constexpr const char* kTimeColumn = "created_at";
constexpr const char* kTimeType = "timestamp with time zone";

Error refused(std::string code, const PostgresOptions& options, std::string detail,
              std::string hint) {
  return {Fault::fatal,      std::move(code), "compare", "table " + options.table.text(),
          std::move(detail), std::move(hint)};
}

std::optional<Error> unfit(const ServerFacts& server, const PostgresOptions& options) {
  if (!server.table) return refused("TABLE_MISSING", options, "there is no such table", "");
  if (!server.table->may_select) {
    return refused("TABLE_UNREADABLE", options, "role " + server.user + " may not read it",
                   "grant outbox_relay to " + quote_identifier(server.user) +
                       "; -- or: grant select on " + table_sql(options.table) + " to " +
                       quote_identifier(server.user) + ";");
  }
  if (server.table->sequence.empty() || !server.table->sequence_readable) {
    return refused("ROWS_WITHOUT_NUMBER", options,
                   "its rows have no number from a sequence that may be read, so nobody can say up "
                   "to which all are delivered",
                   "");
  }
  if (server.progress_table != ProgressTable::usable) {
    return refused("PROGRESS_MISSING", options, "outbox.progress is missing or may not be read",
                   "Run: outbox schema apply");
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<RowReader>> RowReader::open(const PostgresOptions& options,
                                                   core::ChunkPool& pool) {
  const EventFd never;
  const Waiter waiter(never);
  auto sql = Connection::open(options.url, ConnectionKind::sql,
                              application_name(options) + " verify", waiter);
  if (!sql) return sql.error();
  // A piece takes as long as its reader needs.
  const auto patient = sql->run("select set_config('statement_timeout', '0', false)", {}, "prepare",
                                "the session", waiter);
  if (!patient) return patient.error();
  auto server = read_server_facts(*sql, options, waiter);
  if (!server) return server.error();
  if (auto error = unfit(*server, options)) return *error;
  auto reader = std::make_unique<RowReader>(options, std::move(*sql), std::move(*server), pool);
  const auto described = reader->statement_.describe_to(reader->reader_, options);
  if (!described) return described.error();
  return reader;
}

RowReader::RowReader(const PostgresOptions& options, Connection sql, ServerFacts server,
                     core::ChunkPool& pool)
    : options_(options),
      waiter_(never_),
      sql_(std::move(sql)),
      server_(std::move(server)),
      statement_(*server_.table, options_),
      reader_(pool) {}

bool RowReader::has_times() const {
  for (const TableColumn& column : server_.table->columns) {
    if (column.name == kTimeColumn && column.type == kTimeType) return true;
  }
  return false;
}

// delivered_seq is read first: what it covers was delivered before anything that is read later.
Result<RowFacts> RowReader::facts() {
  const auto progress = sql_.run("select delivered_seq from outbox.progress where pipeline = $1",
                                 {options_.pipeline}, "read", "outbox.progress", waiter_);
  if (!progress) return progress.error();
  const std::string seq = quote_identifier(options_.columns.seq);
  const auto rows = sql_.run(
      "select coalesce(pg_sequence_last_value(" + quote_literal(server_.table->sequence) +
          "::regclass), 0) as last_seq, (select min(" + seq + ") from " +
          table_sql(options_.table) +
          ") as first_seq, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_us",
      {}, "look at", subject(), waiter_);
  if (!rows) return rows.error();
  RowFacts facts;
  if (const auto settled = progress->text(0, "delivered_seq")) {
    facts.settled_seq = to_number<uint64_t>(*settled);
  }
  facts.last_seq = rows->number<uint64_t>("last_seq");
  facts.first_seq = rows->number<uint64_t>("first_seq");
  facts.rows_deleted = server_.table->rows_deleted > 0;
  facts.now = core::WallTime{rows->number<int64_t>("now_us")};
  now_ = facts.now;
  if (!server_.has_retention) return facts;
  const auto removed =
      sql_.run("select removed_below from outbox.retention where source_table = $1",
               {options_.table.text()}, "look at", "outbox.retention", waiter_);
  if (!removed) return removed.error();
  if (!removed->empty()) facts.removed_below = removed->number<uint64_t>("removed_below");
  return facts;
}

Result<uint64_t> RowReader::first_since(core::WallTime time) {
  if (!has_times()) {
    return refused("ROWS_WITHOUT_TIME", options_,
                   "it has no column created_at of type timestamptz, by which --since could be "
                   "found",
                   "Leave --since out");
  }
  const auto known = facts();
  if (!known) return known.error();
  const std::string seq = quote_identifier(options_.columns.seq);
  const std::string probe =
      "select " + seq + " as seq, created_at >= to_timestamp($2::float8 / 1000000) as late from " +
      table_sql(options_.table) + " where " + seq + " >= $1::bigint order by " + seq + " limit 1";
  uint64_t early = known->first_seq == 0 ? 1 : known->first_seq;
  uint64_t late = known->last_seq + 1;
  while (early < late) {
    const uint64_t middle = early + (late - early) / 2;
    const auto rows = sql_.run(probe, {std::to_string(middle), std::to_string(time.us)},
                               "look for a time in", subject(), waiter_);
    if (!rows) return rows.error();
    if (rows->empty() || rows->truth("late")) {
      late = middle;
    } else {
      early = rows->number<uint64_t>("seq") + 1;
    }
  }
  return late;
}

Result<uint64_t> RowReader::read(uint64_t after, uint64_t until, const Use& use) {
  const auto copying =
      sql_.run(statement_.rows(after, until, kPieceRows), {}, "read rows of", subject(), waiter_);
  if (!copying) return copying.error();
  reader_.begin(after);
  if (auto taken = take_rows(use); !taken) return taken.error();
  if (auto ended = await_end(); !ended) return ended.error();
  return reader_.rows() < kPieceRows ? until : reader_.last();
}

Result<void> RowReader::letters(const std::function<Result<void>(const Letter&)>& use) {
  const auto there = sql_.run("select to_regclass('outbox.dead_letter') is not null as there", {},
                              "look for", "outbox.dead_letter", waiter_);
  if (!there) return there.error();
  if (!there->truth("there")) return {};
  std::string after = "0";
  while (true) {
    const auto rows = sql_.run(
        "select letter, event_id, state = 'delivered' as replayed, replaces is not null as edited, "
        "kept_as = 'dead' as passed, coalesce($3 in (first_code, last_code), false) as repaired "
        "from outbox.dead_letter "
        "where pipeline = $1 and letter > $2::bigint order by letter limit " +
            std::to_string(kPieceRows),
        {options_.pipeline, after, core::kLostCode}, "read", "outbox.dead_letter", waiter_);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    for (int row = 0; row < rows->count(); ++row) {
      const auto truth = [&](const char* column) { return rows->text(row, column) == "t"; };
      const auto id = core::parse_uuid(rows->text(row, "event_id").value_or(""));
      OUTBOX_ASSERT(id.has_value());
      if (auto used = use({*id, truth("replayed") ? Letter::State::replayed : Letter::State::kept,
                           truth("edited"), truth("passed"), truth("repaired")});
          !used) {
        return used;
      }
    }
    after = rows->text(rows->count() - 1, "letter").value_or("");
  }
}

Result<void> RowReader::take_rows(const Use& use) {
  while (true) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(sql_.handle(), &buffer, 0);
    if (size == -1) return {};
    if (size < 0) return lost(PQerrorMessage(sql_.handle()));
    CopyBuffer message(buffer, static_cast<size_t>(size), PQfreemem);
    if (auto read = reader_.read(message, batch_, now_); !read) return read;
    for (const core::Item& item : batch_) {
      if (auto used = use(item.event); !used) return used;
    }
    batch_.clear();
  }
}

Result<void> RowReader::await_end() {
  while (const ResultHandle result{PQgetResult(sql_.handle())}) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
      return error_of(result.get(), "read rows of", subject());
    }
  }
  return {};
}

Error RowReader::lost(const std::string& why) const {
  return {Fault::retry, "08006", "read rows of", subject(), first_line(why), ""};
}

}  // namespace outbox::postgres
