#pragma once
// What two records must have in common to be the same event: key, value and headers, as one number.
//
// Left out is what the relay may write differently when it sends an event again, or cannot know
// from the row: the headers `position` and `epoch`, the commit time of a CloudEvent, and the cause
// that a dead letter has beside the event (outbox.error.*, and the same by the names of Connect and
// Spring).
//
// Thread: a Hasher belongs to one. Content is the first half of a SHA-256, so nobody makes another
// record with the same by accident or with intent.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "relay/core/event.h"
#include "relay/core/position.h"

namespace outbox::verify {

using Content = std::array<unsigned char, 16>;

/// A record as its reader or its writer has it. Views of the caller's.
struct RecordView {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const core::Header> headers;
};

class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  Content content(const RecordView& record);

 private:
  void add(std::optional<std::string_view> text);
  void add_value(const RecordView& record);

  struct Digest;
  std::unique_ptr<Digest> digest_;
};

/// Tells keys apart; 0 for a record without a key.
uint64_t key_hash(std::optional<std::string_view> key);

/// The id of the event that a record holds, in whichever of our formats; nullopt: it says none.
std::optional<core::Uuid> event_id(const RecordView& record);

enum class PositionKind : uint8_t { none, lsn, number };

struct RecordPosition {
  PositionKind kind = PositionKind::none;
  core::Position position;
};

/// What the header `position` says: "16/B374D848/3" or "4711". `none` without one that can be read.
RecordPosition record_position(const RecordView& record);

/// The first header of that name; nullopt without one, or for a null value.
std::optional<std::string_view> header(const RecordView& record, std::string_view name);

}  // namespace outbox::verify
