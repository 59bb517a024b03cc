#include "connectors/postgres/detail/captures.h"

#include "connectors/postgres/detail/capture_payload.h"
#include "relay/core/assert.h"

namespace outbox::postgres {

using core::Result;

void Captures::know_server(std::string system_id, Timelines timelines) {
  place_.system_id = std::move(system_id);
  timelines_ = std::move(timelines);
}

void Captures::begin_session() {
  tables_.clear();
  table_ = nullptr;
  place_.lsn = {};
}

Result<bool> Captures::describe(const Relation& relation) {
  std::vector<const CaptureRule*> rules;
  for (const CaptureRule& rule : rules_) {
    if (rule.table.schema == relation.schema && rule.table.name == relation.name) {
      rules.push_back(&rule);
    }
  }
  const auto known = tables_.find(relation.id);
  if (rules.empty()) {
    if (known != tables_.end()) {
      note_once("CAPTURE_RENAMED",
                "table " + known->second.name() + " is now " + std::string(relation.schema) + "." +
                    std::string(relation.name) + ": changes of it are no longer taken",
                "Name it in [[source.<name>.capture]], if they should be");
      tables_.erase(known);
    }
    return false;
  }
  Result<CaptureTable> table = CaptureTable::from(relation, std::move(rules));
  if (!table) return table.error();
  for (const std::string& column : table->lacking()) {
    note_once("CAPTURE_COLUMN_GONE",
              "table " + table->name() + " has no column \"" + column +
                  "\", which `columns` names: events come without it",
              "Take it out of `columns`, or add it to the table");
  }
  tables_.insert_or_assign(relation.id, std::move(*table));
  return true;
}

void Captures::count(core::Lsn lsn) {
  if (std::exchange(place_.lsn, lsn) == lsn) {
    ++place_.row;
  } else {
    place_.row = 0;
  }
}

Result<void> Captures::read(uint32_t relation, const RowChange& change) {
  const auto found = tables_.find(relation);
  OUTBOX_ASSERT(found != tables_.end());
  table_ = &found->second;
  return table_->read(change, events_);
}

void Captures::build(size_t half, EventBuilder& builder, core::Item& item) {
  const CapturedEvent& made = events_[half];
  const CaptureRule& rule = *made.rule;
  const size_t size = payload_bytes(made, *table_);
  const size_t key_size = made.key ? made.key->size() : 0;
  core::Chunk& chunk = builder.place(
      rule.aggregate_type.size() + made.event_type.size() + key_size + size + 1, item);

  core::Event& event = item.event;
  place_.timeline = timelines_.written_on(place_.lsn);
  place_.half = static_cast<uint8_t>(half);
  event.id = change_id(place_);
  event.aggregate_type = chunk.append(rule.aggregate_type);
  event.event_type = chunk.append(made.event_type);
  if (made.key) event.aggregate_id = chunk.append(*made.key);
  char* payload = static_cast<char*>(chunk.reserve(size, 1));
  write_payload(made, *table_, payload);
  event.payload = std::string_view(payload, size);
  event.payload_kind = core::PayloadKind::json;
}

void Captures::note_truncated(std::span<const uint32_t> relations) {
  for (const uint32_t relation : relations) {
    const auto table = tables_.find(relation);
    if (table == tables_.end()) continue;
    note_once("CAPTURE_TRUNCATED",
              "table " + table->second.name() +
                  " was truncated: the rows that went make no delete events",
              "Whoever keeps a copy of the table must empty it");
  }
}

void Captures::note_once(const std::string& code, const std::string& what,
                         const std::string& remedy) {
  if (!told_.insert(code + what).second) return;
  notices_.push_back({Severity::warning, code, what, remedy});
}

}  // namespace outbox::postgres
