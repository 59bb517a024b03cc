#pragma once
// What outbox.emit() writes: an event as a message in the WAL, without a row
// (outbox-schema/migrations/V002__emit.sql makes it). Pure.
//
//   u8 version (1)  16 bytes id
//   aggregate_type, aggregate_id, event_type, headers, payload: u32 size (2^32-1: NULL), bytes
//
// Text is UTF-8, headers are JSON.

#include <string_view>

#include "connectors/postgres/detail/outbox_table.h"

namespace outbox::postgres {

inline constexpr std::string_view kEmittedPrefix = "outbox.emit";

enum class EmittedFault : uint8_t {
  none,
  unknown_version,  // a newer schema than this relay
  malformed,        // nobody but outbox.emit() should be able to write one
};

/// Reads `content` into `row`, whose views point into it.
EmittedFault read_emitted(std::string_view content, OutboxRow& row);

}  // namespace outbox::postgres
