#pragma once
// Bytes as a walsender sends them, for tests: written after the protocol's documentation and not
// with the decoder's own constants.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::postgres::wire {

/// 2026-01-02 03:04:05.678901 UTC, as Postgres counts and as we do.
inline constexpr uint64_t kCommitTimePostgresUs = 820'638'245'678'901;
inline constexpr int64_t kCommitTimeUnixUs = 1'767'323'045'678'901;

inline std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>(value >> shift));
  }
  return text;
}

inline std::string c_string(std::string_view text) {
  std::string bytes(text);
  bytes.push_back('\0');
  return bytes;
}

inline std::string begin(uint64_t final_lsn, uint32_t xid = 7) {
  return "B" + number(final_lsn, 8) + number(kCommitTimePostgresUs, 8) + number(xid, 4);
}

inline std::string commit(uint64_t commit_lsn, uint64_t end_lsn) {
  return "C" + number(0, 1) + number(commit_lsn, 8) + number(end_lsn, 8) +
         number(kCommitTimePostgresUs, 8);
}

struct Column {
  std::string name;
  uint32_t type = 25;
};

inline std::string relation(uint32_t id, std::string_view schema, std::string_view name,
                            const std::vector<Column>& columns) {
  std::string text = "R" + number(id, 4);
  text += c_string(schema) + c_string(name) + "d" + number(columns.size(), 2);
  for (const Column& column : columns) {
    text += number(column.name == "id" ? 1 : 0, 1) + c_string(column.name) +
            number(column.type, 4) + number(0xffffffff, 4);
  }
  return text;
}

inline std::string null() { return "n"; }
inline std::string unchanged() { return "u"; }
inline std::string binary(std::string_view bytes) {
  return "b" + number(bytes.size(), 4) + std::string(bytes);
}
inline std::string text(std::string_view bytes) {
  return "t" + number(bytes.size(), 4) + std::string(bytes);
}
inline std::string jsonb(std::string_view json) { return binary("\x01" + std::string(json)); }

inline std::string tuple(const std::vector<std::string>& values) {
  std::string bytes = number(values.size(), 2);
  for (const std::string& value : values) bytes += value;
  return bytes;
}

inline std::string insert(uint32_t relation_id, const std::vector<std::string>& values) {
  return "I" + number(relation_id, 4) + "N" + tuple(values);
}

inline std::string update(uint32_t relation_id, const std::vector<std::string>& values) {
  return "U" + number(relation_id, 4) + "N" + tuple(values);
}

/// `kind`: K, the key of the old row, or O, all of it.
inline std::string update(uint32_t relation_id, char kind, const std::vector<std::string>& old,
                          const std::vector<std::string>& values) {
  return "U" + number(relation_id, 4) + kind + tuple(old) + "N" + tuple(values);
}

inline std::string erase(uint32_t relation_id, char kind, const std::vector<std::string>& old) {
  return "D" + number(relation_id, 4) + kind + tuple(old);
}

inline std::string xlog_data(uint64_t lsn, std::string_view body) {
  return "w" + number(lsn, 8) + number(lsn, 8) + number(kCommitTimePostgresUs, 8) +
         std::string(body);
}

inline std::string keepalive(uint64_t wal_end, bool reply = false) {
  return "k" + number(wal_end, 8) + number(kCommitTimePostgresUs, 8) + number(reply ? 1 : 0, 1);
}

// outbox.event as the schema makes it.
inline std::string logical_message(std::string_view prefix, std::string_view content,
                                   bool transactional = true) {
  return "M" + number(transactional ? 1 : 0, 1) + number(60, 8) + c_string(prefix) +
         number(content.size(), 4) + std::string(content);
}

inline constexpr uint32_t kTable = 16400;
inline constexpr std::string_view kUuidBytes(
    "\x11\x11\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x55"
    "\x55\x55\x55",
    16);
inline constexpr const char* kUuidText = "11111111-2222-3333-4444-555555555555";

inline std::vector<Column> event_columns() {
  return {{"seq", 20},           {"id", 2950},       {"aggregate_type", 25},
          {"aggregate_id", 25},  {"event_type", 25}, {"payload", 3802},
          {"payload_bytes", 17}, {"headers", 3802},  {"created_at", 1184}};
}

inline std::string event_relation() { return relation(kTable, "outbox", "event", event_columns()); }

struct Row {
  uint64_t seq = 1;
  std::string aggregate_type = "order";
  std::optional<std::string> aggregate_id = "42";
  std::string event_type = "OrderPlaced";
  std::optional<std::string> payload = R"({"a": 1})";
  std::optional<std::string> payload_bytes = std::nullopt;
  std::string headers = "{}";
};

inline std::string event_insert(const Row& row = {}) {
  return insert(kTable, {binary(number(row.seq, 8)), binary(kUuidBytes), binary(row.aggregate_type),
                         row.aggregate_id ? binary(*row.aggregate_id) : null(),
                         binary(row.event_type), row.payload ? jsonb(*row.payload) : null(),
                         row.payload_bytes ? binary(*row.payload_bytes) : null(),
                         jsonb(row.headers), binary(number(kCommitTimePostgresUs, 8))});
}

// A message of outbox.emit() with key 42 and the payload {}.
inline std::string emitted() {
  const auto value = [](std::string_view text) {
    return number(text.size(), 4) + std::string(text);
  };
  return "\x01" + std::string(kUuidBytes) + value("order") + value("42") + value("OrderPlaced") +
         value("{}") + value("{}");
}

}  // namespace outbox::postgres::wire
