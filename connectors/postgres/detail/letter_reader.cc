#include "connectors/postgres/detail/letter_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "connectors/postgres/detail/letter_text.h"
#include "relay/core/limits.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Item;
using core::Result;

enum Column : int {
  kLetter,
  kPlace,
  kLane,
  kEventId,
  kAggregateType,
  kAggregateId,
  kEventType,
  kPayload,
  kPayloadKind,
  kHeaders,
  kHeadersFault,
  kExtras,
  kCommitTime,
  kSourcePosition,
  kReplays,
};

core::PayloadKind kind_of(std::string_view kind) {
  if (kind == "json") return core::PayloadKind::json;
  return kind == "text" ? core::PayloadKind::text : core::PayloadKind::bytes;
}

core::HeadersFault fault_of(std::string_view fault) {
  if (fault.empty()) return core::HeadersFault::none;
  return fault == "too many" ? core::HeadersFault::too_many : core::HeadersFault::not_an_object;
}

Error unreadable(std::string_view letter) {
  return Error{core::Fault::fatal,
               "LETTER_UNREADABLE",
               "read",
               "letter " + std::string(letter),
               "its headers or extras are no JSON object of strings",
               "Somebody changed outbox.dead_letter by hand: mend the row, or discard the letter"};
}

}  // namespace

std::optional<std::string_view> result_value(const PGresult* rows, int row, int column) {
  if (PQgetisnull(rows, row, column) != 0) return std::nullopt;
  return std::string_view(PQgetvalue(rows, row, column),
                          static_cast<size_t>(PQgetlength(rows, row, column)));
}

const char* const LetterReader::kColumns =
    "letter::text, place::text, lane::text, event_id, aggregate_type, aggregate_id, "
    "event_type, payload, payload_kind, headers::text, headers_fault, extras::text, "
    "(extract(epoch from commit_time) * 1000000)::bigint::text, source_position, (replays + "
    "1)::text";

std::string_view LetterReader::lane(const PGresult* page, int row) {
  return result_text(page, row, kLane);
}

std::string_view LetterReader::place(const PGresult* page, int row) {
  return result_text(page, row, kPlace);
}

Result<void> LetterReader::read(const PGresult* page, int row, Item& item) {
  const std::string_view id = result_text(page, row, kEventId);
  if (headers_.parse(result_text(page, row, kHeaders)) != core::HeadersFault::none ||
      extras_.parse(result_text(page, row, kExtras)) != core::HeadersFault::none ||
      id.size() != item.event.id.bytes.size()) {
    return unreadable(result_text(page, row, kLetter));
  }
  core::Chunk& chunk = room(bytes_of(page, row), item);
  core::Event& event = item.event;
  place_headers(chunk, event);
  place_extras(result_text(page, row, kReplays), result_text(page, row, kSourcePosition), chunk,
               event);
  std::memcpy(event.id.bytes.data(), id.data(), id.size());
  event.aggregate_type = chunk.append(result_text(page, row, kAggregateType));
  if (const auto key = result_value(page, row, kAggregateId)) {
    event.aggregate_id = chunk.append(*key);
  }
  event.event_type = chunk.append(result_text(page, row, kEventType));
  if (const auto payload = result_value(page, row, kPayload)) {
    event.payload = chunk.append(*payload);
  }
  event.payload_kind = kind_of(result_text(page, row, kPayloadKind));
  event.headers_fault = fault_of(result_text(page, row, kHeadersFault));
  event.commit_time.us = result_number<int64_t>(page, row, kCommitTime);
  event.seq = result_number<uint64_t>(page, row, kLetter);
  item.letters = lane(page, row) == "0" ? 0 : 1;
  return {};
}

size_t LetterReader::bytes_of(const PGresult* page, int row) const {
  size_t bytes = headers_.text_bytes() + extras_.text_bytes() + alignof(core::Header) +
                 alignof(core::Extra) + (columns_.size() + 2) * sizeof(core::Extra) +
                 headers_.headers().size() * sizeof(core::Header);
  for (const int column :
       {kAggregateType, kAggregateId, kEventType, kPayload, kSourcePosition, kReplays}) {
    bytes += result_text(page, row, column).size();
  }
  return bytes;
}

void LetterReader::place_headers(core::Chunk& chunk, core::Event& event) {
  const auto from = headers_.headers();
  if (from.empty()) return;
  auto* table = static_cast<core::Header*>(
      chunk.reserve(from.size() * sizeof(core::Header), alignof(core::Header)));
  for (size_t i = 0; i < from.size(); ++i) {
    core::Header* header = new (table + i) core::Header{chunk.append(from[i].name), std::nullopt};
    if (from[i].value) header->value = chunk.append(*from[i].value);
  }
  event.headers = {table, from.size()};
}

// Where the source was told of other columns since, what is missing is absent.
void LetterReader::place_extras(std::string_view replays, std::string_view position,
                                core::Chunk& chunk, core::Event& event) {
  const size_t count = columns_.size() + 2;
  auto* table =
      static_cast<core::Extra*>(chunk.reserve(count * sizeof(core::Extra), alignof(core::Extra)));
  for (size_t i = 0; i < columns_.size(); ++i) {
    core::Extra* to =
        new (table + i) core::Extra{std::nullopt, core::Extra::Kind::absent, core::WallTime{}};
    const auto kept = extras_.headers();
    const auto from = std::find_if(kept.begin(), kept.end(), [&](const core::Header& one) {
      return one.name == columns_[i].name;
    });
    if (from == kept.end() || !from->value) continue;
    const auto extra = read_extra(*from->value);
    if (!extra) continue;
    *to = *extra;
    if (extra->text) to->text = chunk.append(*extra->text);
  }
  for (size_t at = columns_.size(); const std::string_view told : {replays, position}) {
    new (table + at++) core::Extra{chunk.append(told), core::Extra::Kind::text, core::WallTime{}};
  }
  event.extras = {table, count};
}

void LetterReader::read_key(const PGresult* keys, int row, Item& item) {
  size_t bytes = 0;
  for (int column = 0; column < 3; ++column) bytes += result_text(keys, row, column).size();
  core::Chunk& chunk = room(bytes, item);
  item.event.aggregate_type = chunk.append(result_text(keys, row, 0));
  item.event.aggregate_id = chunk.append(result_text(keys, row, 1));
  item.event.event_type = chunk.append(result_text(keys, row, 2));
  item.letters = result_number<uint64_t>(keys, row, 3);
}

core::Chunk& LetterReader::room(size_t bytes, Item& item) {
  if (bytes > core::kChunkBytes / 2) {
    item.chunk = pool_.single(bytes);
    return *item.chunk;
  }
  if (!current_ || current_->room() < bytes) current_ = pool_.pooled();
  item.chunk = current_;
  return *item.chunk;
}

}  // namespace outbox::postgres
