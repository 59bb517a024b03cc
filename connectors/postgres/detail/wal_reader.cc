#include "connectors/postgres/detail/wal_reader.h"

#include <algorithm>

#include "connectors/postgres/detail/byte_cursor.h"
#include "connectors/postgres/detail/emitted.h"
#include "relay/core/failpoint.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Position;
using core::Result;

constexpr size_t kWalHeaderBytes = 1 + 8 + 8 + 8;
constexpr size_t kExcerptBytes = 48;
constexpr uint64_t kLargeTransactionEvents = 1000;

std::string hex_excerpt(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, kExcerptBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text + (bytes.size() > kExcerptBytes ? "..." : "");
}

}  // namespace

WalReader::WalReader(TableName table, ColumnNames columns, core::ChunkPool& pool,
                     OnUpdate on_update, std::vector<CaptureRule> captures)
    : table_name_(std::move(table)),
      columns_(std::move(columns)),
      on_update_(on_update),
      builder_(pool),
      captures_(std::move(captures)) {}

void WalReader::resume_after(Position position) { handed_ = std::max(handed_, position); }

void WalReader::begin_session() {
  table_.reset();
  other_tables_.clear();
  captures_.begin_session();
  in_transaction_ = false;
  ordinal_ = 0;
  reply_requested_ = false;
}

bool WalReader::take_reply_requested() { return std::exchange(reply_requested_, false); }

Result<ReadStep> WalReader::read(CopyBuffer& message, core::Batch& batch) {
  const std::string_view bytes = message.view();
  if (bytes.starts_with('w')) return read_wal(message, batch);
  if (bytes.starts_with('k')) {
    const Result<void> kept = read_keepalive(bytes, batch);
    if (!kept) return kept.error();
    return ReadStep::go_on;
  }
  return broken("unknown replication message", bytes);
}

Result<void> WalReader::read_keepalive(std::string_view bytes, core::Batch& batch) {
  ByteCursor in(bytes.substr(1));
  const core::Lsn wal_end{in.u64()};
  in.u64();  // the server's clock
  const bool reply = in.u8() != 0;
  if (!in.at_end()) return broken("keepalive of a wrong size", bytes);
  reply_requested_ = reply_requested_ || reply;
  // Inside a transaction it lies before events that were handed out already.
  if (!in_transaction_) add_boundary(wal_end, batch);
  return {};
}

Result<ReadStep> WalReader::read_wal(CopyBuffer& message, core::Batch& batch) {
  ByteCursor in(message.view().substr(1));
  message_lsn_.value = in.u64();
  in.u64();  // the server's write position
  in.u64();  // the server's clock
  if (!in.ok()) return broken("truncated message", message.view());
  const std::string_view body = message.view().substr(kWalHeaderBytes);
  const DecodeFault fault = decoder_.decode(body, message_);
  if (fault != DecodeFault::none) return broken(to_string(fault), body);
  if (const auto* insert = std::get_if<Insert>(&message_)) {
    return on_insert(*insert, message, batch);
  }
  if (const auto* relation = std::get_if<Relation>(&message_)) return on_relation(*relation);
  if (const auto* logical = std::get_if<LogicalMessage>(&message_)) {
    return on_logical(*logical, message, batch);
  }
  return on_other(message_, batch);
}

Result<ReadStep> WalReader::on_other(const Message& message, core::Batch& batch) {
  if (const auto* begin = std::get_if<Begin>(&message)) {
    if (in_transaction_) return broken("BEGIN inside a transaction", {});
    on_begin(*begin);
  } else if (const auto* commit = std::get_if<Commit>(&message)) {
    return on_commit(*commit, batch);
  } else if (const auto* update = std::get_if<Update>(&message)) {
    return on_update(*update, batch);
  } else if (const auto* erase = std::get_if<Delete>(&message)) {
    return on_delete(*erase, batch);
  } else if (const auto* truncate = std::get_if<Truncate>(&message)) {
    count_truncate(*truncate);
  }
  return ReadStep::go_on;  // Origin and Type carry nothing for an outbox
}

Result<ReadStep> WalReader::on_update(const Update& update, core::Batch& batch) {
  if (!table_ || table_->relation() != update.relation) {
    return on_change(update.relation, RowChange::of(update), batch);
  }
  if (on_update_ == OnUpdate::stop) {
    return Error{core::Fault::fatal,
                 "OUTBOX_UPDATED",
                 "read the WAL stream at LSN " + core::to_string(message_lsn_),
                 table_name_.text(),
                 "a row was updated; an event cannot change once it is written",
                 "Find out who did it. With on_update = \"warn\" or \"ignore\" in the source the "
                 "pipeline passes over it"};
  }
  ++counters_.updates_ignored;
  return ReadStep::go_on;
}

Result<ReadStep> WalReader::on_delete(const Delete& erase, core::Batch& batch) {
  if (!table_ || table_->relation() != erase.relation) {
    return on_change(erase.relation, RowChange::of(erase), batch);
  }
  ++counters_.deletes_ignored;
  return ReadStep::go_on;
}

// Of an update or a delete, of a table that is not the outbox.
Result<ReadStep> WalReader::on_change(uint32_t relation, const RowChange& change,
                                      core::Batch& batch) {
  if (!captures_.any()) return ReadStep::go_on;
  if (captures_.has(relation)) return on_captured(relation, change, batch);
  if (!other_tables_.contains(relation)) {
    return broken("row of relation " + std::to_string(relation) + ", never described", {});
  }
  ordinal_ += 2;
  return ReadStep::go_on;
}

Result<ReadStep> WalReader::on_captured(uint32_t relation, const RowChange& change,
                                        core::Batch& batch) {
  if (!in_transaction_) return broken("row outside a transaction", {});
  const uint64_t first = ordinal_ + 1;
  ordinal_ += 2;
  captures_.count(message_lsn_);
  if (Position{begin_.final_lsn.value, ordinal_} <= handed_) {
    ++counters_.repeated;
    return ReadStep::go_on;
  }
  if (const Result<void> read = captures_.read(relation, change); !read) {
    return at_this_lsn(read.error());
  }
  for (const size_t half : {size_t{0}, size_t{1}}) {
    if (!captures_.made(half) || Position{begin_.final_lsn.value, first + half} <= handed_)
      continue;
    core::Item& item = batch.emplace_back();
    captures_.build(half, builder_, item);
    note_handed_out(item, first + half);
  }
  return ReadStep::go_on;
}

void WalReader::on_begin(const Begin& begin) {
  in_transaction_ = true;
  begin_ = begin;
  ordinal_ = 0;
}

Result<ReadStep> WalReader::on_commit(const Commit& commit, core::Batch& batch) {
  if (!in_transaction_ || commit.commit_lsn != begin_.final_lsn ||
      commit.end_lsn <= commit.commit_lsn) {
    return broken("COMMIT at " + core::to_string(commit.commit_lsn) +
                      " does not end the BEGIN of " + core::to_string(begin_.final_lsn),
                  {});
  }
  in_transaction_ = false;
  ++counters_.transactions;
  add_boundary(commit.end_lsn, batch);
  return ReadStep::go_on;
}

void WalReader::count_truncate(const Truncate& truncate) {
  captures_.note_truncated(truncate.relations);
  if (!table_) return;
  const auto& relations = truncate.relations;
  if (std::find(relations.begin(), relations.end(), table_->relation()) != relations.end()) {
    ++counters_.truncates;
  }
}

Result<ReadStep> WalReader::on_relation(const Relation& relation) {
  const bool ours = relation.schema == table_name_.schema && relation.name == table_name_.name;
  if (ours) {
    Result<OutboxTable> table = OutboxTable::from(relation, columns_);
    if (!table) return table.error();
    other_tables_.erase(relation.id);
    table_ = std::move(*table);
    return ReadStep::go_on;
  }
  if (table_ && table_->relation() == relation.id) table_.reset();  // it was renamed
  const Result<bool> captured = captures_.describe(relation);
  if (!captured) return at_this_lsn(captured.error());
  if (*captured) {
    other_tables_.erase(relation.id);
    return ReadStep::go_on;
  }
  const bool suspicious =
      !strangers_.contains(relation.id) && OutboxTable::from(relation, columns_).ok();
  other_tables_[relation.id] = suspicious;
  return ReadStep::go_on;
}

Result<ReadStep> WalReader::on_insert(const Insert& insert, CopyBuffer& message,
                                      core::Batch& batch) {
  if (!table_ || table_->relation() != insert.relation) [[unlikely]] {
    return on_other_insert(insert, batch);
  }
  if (!in_transaction_) [[unlikely]]
    return broken("row outside a transaction", message.view().substr(kWalHeaderBytes));
  if (!next_is_new()) return ReadStep::go_on;
  Result<void> read = table_->read(insert.row, row_);
  if (!read) [[unlikely]]
    return at_this_lsn(read.error());
  if (begin_.final_lsn < polled_before_ && row_.seq <= polled_seq_) [[unlikely]] {
    ++counters_.repeated;
    return ReadStep::go_on;
  }
  hand_out(message, batch);
  return ReadStep::go_on;
}

// What is no event of ours has no ordinal either: ordinals are the same at each reading.
Result<ReadStep> WalReader::on_logical(const LogicalMessage& logical, CopyBuffer& message,
                                       core::Batch& batch) {
  if (!logical.transactional || logical.prefix != kEmittedPrefix) return ReadStep::go_on;
  const std::string_view body = message.view().substr(kWalHeaderBytes);
  if (!in_transaction_) return broken("emitted event outside a transaction", body);
  switch (read_emitted(logical.content, row_)) {
    case EmittedFault::none:
      if (next_is_new()) hand_out(message, batch);
      break;
    case EmittedFault::unknown_version:
      return broken("emitted event of a layout that this relay does not know", body);
    case EmittedFault::malformed:
      ++counters_.forged;
      break;
  }
  return ReadStep::go_on;
}

// Counts the next event of the transaction; false if it was handed out before.
bool WalReader::next_is_new() {
  const Position position{begin_.final_lsn.value, ++ordinal_};
  if (position > handed_) return true;
  ++counters_.repeated;
  return false;
}

void WalReader::hand_out(CopyBuffer& message, core::Batch& batch) {
  core::Item& item = batch.emplace_back();
  builder_.build(row_, message, item);
  note_handed_out(item, ordinal_);
}

void WalReader::note_handed_out(core::Item& item, uint64_t ordinal) {
  item.event.commit_time = begin_.commit_time;
  item.event.position = handed_ = Position{begin_.final_lsn.value, ordinal};
  last_event_ = begin_.final_lsn;
  ++counters_.events;
  if (ordinal > kLargeTransactionEvents) {
    core::hit_failpoint(core::Failpoint::inside_large_transaction);
  }
}

// Via the root, Postgres describes the partition, too, but sends the row under the root's name.
Result<ReadStep> WalReader::on_other_insert(const Insert& insert, core::Batch& batch) {
  if (captures_.has(insert.relation)) {
    return on_captured(insert.relation, RowChange::of(insert), batch);
  }
  const auto other = other_tables_.find(insert.relation);
  if (other == other_tables_.end()) {
    return broken("row of relation " + std::to_string(insert.relation) + ", never described", {});
  }
  if (other->second) {
    suspect_ = insert.relation;
    return ReadStep::suspect;
  }
  if (captures_.any()) ordinal_ += 2;
  ++counters_.other_tables;
  return ReadStep::go_on;
}

void WalReader::add_boundary(core::Lsn lsn, core::Batch& batch) {
  received_ = std::max(received_, lsn);
  const Position position{lsn.value, 0};
  if (position <= handed_) return;
  handed_ = position;
  if (!batch.empty() && batch.back().kind == core::ItemKind::boundary) {
    batch.back().event.position = position;  // nothing lies between: one says what both said
    return;
  }
  core::Item& item = batch.emplace_back();
  item.kind = core::ItemKind::boundary;
  item.event.position = position;
}

// A Relation message has no LSN of its own.
Error WalReader::at_this_lsn(Error error) const {
  error.detail +=
      " at LSN " + core::to_string(message_lsn_.valid() ? message_lsn_ : begin_.final_lsn);
  return error;
}

Error WalReader::broken(const std::string& what, std::string_view bytes) const {
  Error error{core::Fault::fatal,
              "PROTOCOL",
              "read the WAL stream at LSN " + core::to_string(message_lsn_),
              "",
              what,
              "Nothing is lost: the slot keeps what was not confirmed. Report this with the bytes "
              "shown; a newer relay may know the message"};
  if (!bytes.empty()) error.detail += ", bytes " + hex_excerpt(bytes);
  return error;
}

}  // namespace outbox::postgres
