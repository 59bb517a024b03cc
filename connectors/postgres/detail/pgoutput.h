#pragma once
// The pgoutput protocol, version 1: what a logical walsender of Postgres 14 to 18 sends inside
// CopyData once START_REPLICATION has run. Pure: bytes in, one message out, nothing kept but the
// storage that a message's spans point to.
//
// Integers are big-endian, `string` ends with a zero byte. First byte of a message is its type:
//
//   B  Begin     u64 final_lsn (of the commit record)  u64 commit_time  u32 xid
//   C  Commit    u8 flags (0)  u64 commit_lsn  u64 end_lsn  u64 commit_time
//   O  Origin    u64 commit_lsn at the origin  string name
//   R  Relation  u32 relation  string schema  string name  u8 replica_identity  u16 n
//                n × { u8 flags (1: part of the key)  string name  u32 type  u32 type_modifier }
//   Y  Type      u32 type  string schema  string name
//   I  Insert    u32 relation  'N' tuple
//   U  Update    u32 relation  ['K' tuple | 'O' tuple]  'N' tuple
//   D  Delete    u32 relation  'K' tuple | 'O' tuple
//   T  Truncate  u32 n  u8 options (1: cascade, 2: restart identity)  n × u32 relation
//   M  Message   u8 flags (1: transactional)  u64 lsn  string prefix  u32 size  size bytes
//
//   tuple        u16 n  n × { 'n' (null) | 'u' (unchanged TOAST, not sent)
//                             | 't' u32 size, text | 'b' u32 size, binary }
//
// A commit_time is microseconds since 2000-01-01 UTC. Several rows share an LSN, and so may a
// commit and the next begin: positions are made from (final_lsn, ordinal), see wal_reader.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/core/clock.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

struct Begin {
  core::Lsn final_lsn;
  core::WallTime commit_time;
  uint32_t xid = 0;
};

struct Commit {
  core::Lsn commit_lsn;
  core::Lsn end_lsn;
  core::WallTime commit_time;
};

struct Origin {
  core::Lsn commit_lsn;
  std::string_view name;
};

struct RelationColumn {
  std::string_view name;
  uint32_t type = 0;         // oid
  bool part_of_key = false;  // of the replica identity, which may be the whole row
};

struct Relation {
  uint32_t id = 0;  // oid of the table
  std::string_view schema;
  std::string_view name;
  std::span<const RelationColumn> columns;
};

struct TypeName {
  uint32_t id = 0;
  std::string_view schema;
  std::string_view name;
};

enum class ValueKind : uint8_t { null, unchanged, text, binary };

struct Value {
  ValueKind kind = ValueKind::null;
  std::string_view bytes;
};

struct Insert {
  uint32_t relation = 0;
  std::span<const Value> row;
};

/// What an update or a delete tells of the row as it was: of a `key` only the columns of the
/// replica identity count, the others are null whatever they held.
enum class OldRow : uint8_t { none, key, full };

struct Update {
  uint32_t relation = 0;
  OldRow old_kind = OldRow::none;
  std::span<const Value> old_row;
  std::span<const Value> row;
};

struct Delete {
  uint32_t relation = 0;
  OldRow old_kind = OldRow::key;
  std::span<const Value> old_row;
};

struct Truncate {
  std::span<const uint32_t> relations;
};

struct LogicalMessage {
  core::Lsn lsn;
  bool transactional = false;
  std::string_view prefix;
  std::string_view content;
};

using Message = std::variant<std::monostate, Begin, Commit, Origin, Relation, TypeName, Insert,
                             Update, Delete, Truncate, LogicalMessage>;

enum class DecodeFault : uint8_t {
  none,
  unknown_type,  // a first byte, or a mark inside, that protocol 1 does not have
  truncated,     // ends before its own lengths say so
  trailing,      // goes on after its end
};

const char* to_string(DecodeFault fault);

/// Decodes one message at a time. Views in the message point into the bytes given; spans into the
/// decoder, until its next decode().
class PgoutputDecoder {
 public:
  DecodeFault decode(std::string_view bytes, Message& message);

 private:
  class Reading;

  std::vector<Value> row_;
  std::vector<Value> old_row_;
  std::vector<RelationColumn> columns_;
  std::vector<uint32_t> relations_;
};

}  // namespace outbox::postgres
