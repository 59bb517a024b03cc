#pragma once
// Event: one outbox event on its way, as immutable views into a Chunk (chunk.h). Copying an Event
// copies views; whoever keeps one keeps a ChunkRef beside it (an Item in a batch, a cell in the
// window).
//
// `id` is the idempotency key: it never changes, also across retries, replays and restarts. Payload
// bytes are never parsed on the way. A payload that is absent (SQL NULL: a tombstone), empty, or
// the JSON null are three things.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "relay/core/chunk.h"
#include "relay/core/clock.h"
#include "relay/core/position.h"

namespace outbox::core {

struct Uuid {
  std::array<unsigned char, 16> bytes{};
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// 36 characters, lower case, as Postgres prints a uuid.
std::string to_string(const Uuid& id);
std::optional<Uuid> parse_uuid(std::string_view text);

struct Header {
  std::string_view name;
  std::optional<std::string_view> value;  // nullopt is Kafka's null header value
};

/// Why an event's own headers cannot be used. The event itself is intact; the Router refuses it
/// with this reason.
enum class HeadersFault : uint8_t { none, not_an_object, too_many };

/// What the payload's bytes are, as far as the source knows.
enum class PayloadKind : uint8_t {
  json,   // one JSON value, as the database checked it
  text,   // text, which may be JSON all the same
  bytes,  // anything
};

/// A further column that some route's format asked for; it stands at its place in the list that the
/// wiring gave to the source.
struct Extra {
  enum class Kind : uint8_t { text, number, boolean, time, absent };
  std::optional<std::string_view> text;  // nullopt: SQL NULL, or absent: there is no such column
  Kind kind = Kind::text;
  WallTime time{};  // of a time that is not NULL
};

struct Event {
  Uuid id;
  std::string_view aggregate_type;
  std::optional<std::string_view>
      aggregate_id;  // the key; nullopt: no key and so no order among its like
  std::string_view event_type;
  std::optional<std::string_view> payload;
  std::span<const Header> headers;
  HeadersFault headers_fault = HeadersFault::none;
  PayloadKind payload_kind = PayloadKind::bytes;
  std::span<const Extra> extras;  // empty unless a format needs some
  WallTime commit_time;           // when its transaction committed; becomes the record's timestamp
  Position position;
  uint64_t seq = 0;  // outbox.event.seq, 0 where the source has none

  /// Bytes of everything that goes into a record; what window and queue bounds count.
  size_t bytes() const;
};

/// The text of a record's header `position`. With PositionForm::told it is the event's last extra,
/// behind those that formats know.
void append_origin(std::string& out, const Event& event, PositionForm form);

/// Of an event that is replayed (PositionForm::told): for the how many-th time; its last extra but
/// one.
std::string_view replay_number(const Event& event);

/// Copies an event with all its bytes into a chunk of its own, so that it pins nobody else's: what
/// leaves the fast path (retry, dead letter) does this. `chunk` receives the new owner.
Event detach(const Event& event, ChunkPool& pool, ChunkRef& chunk);

}  // namespace outbox::core
