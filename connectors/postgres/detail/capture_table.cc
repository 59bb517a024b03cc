#include "connectors/postgres/detail/capture_table.h"

#include <algorithm>

#include "connectors/postgres/detail/capture_payload.h"
#include "connectors/postgres/detail/json_text.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

const std::string& type_for(const CaptureRule& rule, Operation operation) {
  switch (operation) {
    case Operation::insert:
      return rule.insert;
    case Operation::update:
      return rule.update;
    case Operation::erase:
      break;
  }
  return rule.erase;
}

bool has_binary(std::span<const Value> values) {
  return std::any_of(values.begin(), values.end(),
                     [](const Value& value) { return value.kind == ValueKind::binary; });
}

// The cast of char(n) to text leaves out the blanks at its end.
Cell as_text(Cell cell, JsonForm form) {
  if (form != JsonForm::blank_padded) return cell;
  cell.text = cell.text.substr(0, cell.text.find_last_not_of(' ') + 1);
  return cell;
}

}  // namespace

std::string_view text_suffix(std::string_view text, JsonForm form) {
  if (form != JsonForm::address || text.find('/') != std::string_view::npos) return {};
  return text.find(':') == std::string_view::npos ? "/32" : "/128";
}

Cell CaptureTable::before(const RowChange& change, size_t column) const {
  const CapturedColumn& of = columns_[column];
  return as_text(change.before(column, of.identity), of.form);
}

Cell CaptureTable::after(const RowChange& change, size_t column) const {
  const CapturedColumn& of = columns_[column];
  return as_text(change.after(column, of.identity), of.form);
}

Result<CaptureTable> CaptureTable::from(const Relation& relation,
                                        std::vector<const CaptureRule*> rules) {
  OUTBOX_ASSERT(!rules.empty());
  CaptureTable table;
  table.name_ = std::string(relation.schema) + "." + std::string(relation.name);
  for (const RelationColumn& column : relation.columns) {
    table.columns_.push_back({std::string(column.name), json_member(column.name),
                              json_form(column.type), column.part_of_key});
  }
  for (const std::string& name : rules.front()->key) {
    const auto column = table.find(name);
    if (!column) {
      return table.error("CAPTURE_COLUMN_MISSING",
                         "there is no column \"" + name + "\", which is the key",
                         "Name another `key` in [[source.<name>.capture]], and start again");
    }
    table.key_.push_back(*column);
  }
  for (const CaptureRule* rule : rules) {
    if (Result<void> mapped = table.map(*rule); !mapped) return mapped.error();
  }
  return table;
}

Result<void> CaptureTable::map(const CaptureRule& rule) {
  MappedRule mapped{&rule, {}, {}};
  for (const CaptureCondition& condition : rule.when) {
    const auto column = find(condition.column);
    if (!column) {
      return error("CAPTURE_COLUMN_MISSING",
                   "there is no column \"" + condition.column + "\", which `when` looks at",
                   "Take it out of `when` in [[source.<name>.capture]], and start again");
    }
    mapped.when.push_back({&condition, *column});
  }
  for (const std::string& name : rule.columns) {
    if (const auto column = find(name)) {
      mapped.columns.push_back(*column);
    } else if (std::find(lacking_.begin(), lacking_.end(), name) == lacking_.end()) {
      lacking_.push_back(name);
    }
  }
  for (size_t i = 0; rule.columns.empty() && i < columns_.size(); ++i) mapped.columns.push_back(i);
  rules_.push_back(std::move(mapped));
  return {};
}

std::optional<size_t> CaptureTable::find(std::string_view column) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == column) return i;
  }
  return std::nullopt;
}

Result<void> CaptureTable::read(const RowChange& change, CapturedEvents& events) const {
  for (CapturedEvent& event : events) event.rule = nullptr;
  if (Result<void> checked = check_shape(change); !checked) return checked;
  if (change.operation != Operation::update || !key_changes(change)) {
    return match(change, events[0]);
  }
  if (Result<void> gone = match(delete_half(change), events[0]); !gone) return gone;
  return match(insert_half(change), events[1]);
}

Result<void> CaptureTable::check_shape(const RowChange& change) const {
  const auto fits = [&](std::span<const Value> row) {
    return row.size() == columns_.size() && !has_binary(row);
  };
  if (change.has_after() && !fits(change.row)) {
    return error("ROW_SHAPE", "a row is not as the table was described", "");
  }
  if (change.old_kind != OldRow::none && !fits(change.old_row)) {
    return error("ROW_SHAPE", "the row before a change is not as the table was described", "");
  }
  return {};
}

// Where the old key is not told, the replica identity lacks it, which a start refuses.
bool CaptureTable::key_changes(const RowChange& update) const {
  return std::any_of(key_.begin(), key_.end(), [&](size_t column) {
    const Cell old = before(update, column);
    return old.known() && old != after(update, column);
  });
}

Result<void> CaptureTable::match(const RowChange& change, CapturedEvent& event) const {
  for (const MappedRule& rule : rules_) {
    const std::string& type = type_for(*rule.rule, change.operation);
    if (type.empty()) continue;
    const Result<bool> fit = fits(rule, change);
    if (!fit) return fit.error();
    if (!*fit) continue;
    event.rule = rule.rule;
    event.event_type = type;
    event.change = change;
    event.columns = rule.columns;
    return take_key(event);
  }
  return {};
}

Result<bool> CaptureTable::fits(const MappedRule& rule, const RowChange& change) const {
  for (const Condition& condition : rule.when) {
    switch (judge(condition, change)) {
      case Verdict::holds:
        continue;
      case Verdict::fails:
        return false;
      case Verdict::unknown:
        return error(
            "CAPTURE_OLD_ROW_MISSING",
            "`when` looks at column \"" + condition.says->column +
                "\", and the WAL does not tell its value before the change",
            "alter table " + name_ +
                " replica identity full; -- it holds for rows that are written from then on: to "
                "pass those that were written before, take the condition out until they are "
                "delivered");
    }
  }
  return true;
}

CaptureTable::Verdict CaptureTable::judge(const Condition& condition,
                                          const RowChange& change) const {
  const CaptureCondition& says = *condition.says;
  const Cell old = before(change, condition.column);
  const Cell now = cell(change, condition.column);
  const auto verdict = [](bool holds) { return holds ? Verdict::holds : Verdict::fails; };
  const std::string_view suffix = text_suffix(now.text, columns_[condition.column].form);
  const bool is_value = now.kind == Cell::Kind::value && says.value.starts_with(now.text) &&
                        says.value.substr(now.text.size()) == suffix;
  if (says.kind != CaptureCondition::Kind::changed && now.known() && !is_value) {
    return Verdict::fails;
  }
  if (change.operation != Operation::update) {
    if (says.kind == CaptureCondition::Kind::changed) return Verdict::holds;
    if (change.operation == Operation::erase && says.kind != CaptureCondition::Kind::is) {
      return Verdict::fails;  // it changed to nothing
    }
    return now.known() ? Verdict::holds : Verdict::unknown;
  }
  if (says.kind == CaptureCondition::Kind::is) {
    return now.known() ? Verdict::holds : Verdict::unknown;
  }
  // A value that was not sent again is the one of before.
  if (!now.known()) return Verdict::fails;
  return old.known() ? verdict(old != now) : Verdict::unknown;
}

Result<void> CaptureTable::take_key(CapturedEvent& event) const {
  event.key_text.clear();
  StringWriter out{event.key_text};
  for (size_t i = 0; i < key_.size(); ++i) {
    const Cell key = cell(event.change, key_[i]);
    if (!key.known()) {
      return error("CAPTURE_KEY_MISSING",
                   "the WAL does not tell column \"" + columns_[key_[i]].name +
                       "\" of a changed row, which is the key",
                   "Make it part of the table's replica identity: alter table " + name_ +
                       " replica identity full;");
    }
    const bool null = key.kind == Cell::Kind::null;
    const std::string_view suffix = text_suffix(key.text, columns_[key_[i]].form);
    if (key_.size() == 1) {
      event.key = null ? std::nullopt : std::optional(key.text);
      if (null || suffix.empty()) return {};
      event.key_text = std::string(key.text) + std::string(suffix);
      event.key = event.key_text;
      return {};
    }
    out.put(i == 0 ? "[" : ",");
    if (null) {
      out.put("null");
    } else {
      put_json_string(key.text, out, suffix);
    }
  }
  out.put("]");
  event.key = event.key_text;
  return {};
}

// The row as the event is about it: of a delete the one that was.
Cell CaptureTable::cell(const RowChange& change, size_t column) const {
  return change.has_after() ? after(change, column) : before(change, column);
}

Error CaptureTable::error(std::string code, std::string what, std::string remedy) const {
  return {core::Fault::fatal, std::move(code), "read",
          "table " + name_,   std::move(what), std::move(remedy)};
}

}  // namespace outbox::postgres
