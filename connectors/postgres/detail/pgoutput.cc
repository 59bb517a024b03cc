#include "connectors/postgres/detail/pgoutput.h"

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {
namespace {

// 2000-01-01 minus 1970-01-01, in microseconds.
constexpr int64_t kPostgresEpochUs = 946'684'800'000'000;

core::WallTime wall_time(uint64_t postgres_us) {
  // Unsigned, because a hostile number may overflow; Postgres's own range cannot.
  return {static_cast<int64_t>(postgres_us + static_cast<uint64_t>(kPostgresEpochUs))};
}

}  // namespace

const char* to_string(DecodeFault fault) {
  switch (fault) {
    case DecodeFault::none:
      return "none";
    case DecodeFault::unknown_type:
      return "unknown message";
    case DecodeFault::truncated:
      return "truncated message";
    case DecodeFault::trailing:
      return "message with bytes after its end";
  }
  return "?";
}

// One decode() on its way: the cursor, and whether a mark was met that the protocol does not have.
class PgoutputDecoder::Reading {
 public:
  Reading(std::string_view bytes, PgoutputDecoder& decoder) : in_(bytes), decoder_(decoder) {}

  DecodeFault read(Message& message) {
    const char type = in_.character();
    if (!in_.ok()) return DecodeFault::truncated;
    read_body(type, message);
    if (unknown_) return DecodeFault::unknown_type;
    if (!in_.ok()) return DecodeFault::truncated;
    return in_.at_end() ? DecodeFault::none : DecodeFault::trailing;
  }

 private:
  void read_body(char type, Message& message) {
    switch (type) {
      case 'I':
        return insert(message.emplace<Insert>());
      case 'B':
        return begin(message.emplace<Begin>());
      case 'C':
        return commit(message.emplace<Commit>());
      case 'R':
        return relation(message.emplace<Relation>());
      case 'O':
        message.emplace<Origin>(Origin{core::Lsn{in_.u64()}, in_.c_string()});
        return;
      case 'Y':
        message.emplace<TypeName>(TypeName{in_.u32(), in_.c_string(), in_.c_string()});
        return;
      case 'U':
        return update(message.emplace<Update>());
      case 'D':
        return erase(message.emplace<Delete>());
      case 'T':
        return truncate(message.emplace<Truncate>());
      case 'M':
        return logical_message(message.emplace<LogicalMessage>());
      default:
        unknown_ = true;
    }
  }

  void begin(Begin& begin) {
    begin.final_lsn.value = in_.u64();
    begin.commit_time = wall_time(in_.u64());
    begin.xid = in_.u32();
  }

  void commit(Commit& commit) {
    if (in_.u8() != 0) unknown_ = unknown_ || in_.ok();
    commit.commit_lsn.value = in_.u64();
    commit.end_lsn.value = in_.u64();
    commit.commit_time = wall_time(in_.u64());
  }

  void relation(Relation& relation) {
    relation.id = in_.u32();
    relation.schema = in_.c_string();
    relation.name = in_.c_string();
    in_.u8();  // replica identity: the columns' flags say what it means
    const size_t count = in_.u16();
    decoder_.columns_.clear();
    for (size_t i = 0; i < count && in_.ok(); ++i) {
      RelationColumn& column = decoder_.columns_.emplace_back();
      column.part_of_key = (in_.u8() & 1) != 0;
      column.name = in_.c_string();
      column.type = in_.u32();
      in_.u32();  // the type modifier: lengths and precisions do not matter here
    }
    relation.columns = decoder_.columns_;
  }

  void insert(Insert& insert) {
    insert.relation = in_.u32();
    if (in_.character() != 'N') unknown_ = unknown_ || in_.ok();
    insert.row = tuple(decoder_.row_);
  }

  void update(Update& update) {
    update.relation = in_.u32();
    char mark = in_.character();
    if (mark == 'K' || mark == 'O') {
      update.old_kind = mark == 'O' ? OldRow::full : OldRow::key;
      update.old_row = tuple(decoder_.old_row_);
      mark = in_.character();
    }
    if (mark != 'N') unknown_ = unknown_ || in_.ok();
    update.row = tuple(decoder_.row_);
  }

  void erase(Delete& erase) {
    erase.relation = in_.u32();
    const char mark = in_.character();
    if (mark != 'K' && mark != 'O') unknown_ = unknown_ || in_.ok();
    erase.old_kind = mark == 'O' ? OldRow::full : OldRow::key;
    erase.old_row = tuple(decoder_.old_row_);
  }

  void truncate(Truncate& truncate) {
    const size_t count = in_.u32();
    in_.u8();  // cascade, restart identity
    decoder_.relations_.clear();
    for (size_t i = 0; i < count && in_.ok(); ++i) decoder_.relations_.push_back(in_.u32());
    truncate.relations = decoder_.relations_;
  }

  void logical_message(LogicalMessage& message) {
    message.transactional = (in_.u8() & 1) != 0;
    message.lsn.value = in_.u64();
    message.prefix = in_.c_string();
    message.content = in_.bytes(in_.u32());
  }

  std::span<const Value> tuple(std::vector<Value>& values) {
    const size_t count = in_.u16();
    values.clear();
    for (size_t i = 0; i < count && in_.ok(); ++i) values.push_back(value());
    return values;
  }

  Value value() {
    switch (in_.character()) {
      case 'b':
        return {ValueKind::binary, in_.bytes(in_.u32())};
      case 'n':
        return {ValueKind::null, {}};
      case 't':
        return {ValueKind::text, in_.bytes(in_.u32())};
      case 'u':
        return {ValueKind::unchanged, {}};
      default:
        unknown_ = unknown_ || in_.ok();
        return {};
    }
  }

  ByteCursor in_;
  PgoutputDecoder& decoder_;
  bool unknown_ = false;
};

DecodeFault PgoutputDecoder::decode(std::string_view bytes, Message& message) {
  return Reading(bytes, *this).read(message);
}

}  // namespace outbox::postgres
