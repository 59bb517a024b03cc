#pragma once
// Every bound of the relay, with its reason. A bound that a user may change is a default here and a
// key in the config.

#include <cstddef>
#include <cstdint>

namespace outbox::core {

/// A pooled chunk holds the bytes of some hundred small events; a message larger than this gets a
/// chunk of its own. 64 kB keeps the memory pinned by one slow event small and the pool's traffic
/// low.
inline constexpr size_t kChunkBytes = 64 * 1024;

/// Cells in a window. More is slower and larger: with a broker 8,192 / 16,384 / 32,768 cells gave
/// 600k / 602k / 500k events/s and 19 / 29 / 46 MB.
inline constexpr size_t kWindowCells = 8192;

/// Bytes of events a pipeline holds before it stops reading (all its windows together). One event
/// may pass it when the window is empty. With rows of 1 kB and librdkafka's own ~1 kB a record in
/// flight, 4 MB peak at 39 MB resident and 8 MB at 49 MB; the bound is 48 MB (invariant 7).
inline constexpr size_t kWindowBytes = 4 * 1024 * 1024;

/// Items one poll of a source brings: few enough to stay in the processor's cache between source
/// and window.
inline constexpr size_t kIntakeItemsPerPoll = 256;

/// Items one step takes in before sinks are looked at again. A reader that naps finds some
/// thousand: what is submitted in one go leaves in fewer and larger requests.
inline constexpr size_t kIntakeItemsPerStep = 4096;

/// Topics one pipeline may route to. A topic costs metadata in every client; aggregate types come
/// from inserted rows, so an unbounded set would let one writer take the relay's memory.
inline constexpr size_t kDestinationsMax = 4096;

/// Legal names of a Kafka topic have at most 249 characters; the dead-letter suffix must fit too.
inline constexpr size_t kTopicNameMax = 249;

/// What outbox.event's CHECKs allow, and so the most that one record can weigh
/// (outbox-schema/README.md).
inline constexpr size_t kPayloadBytesMax = 32 * 1024 * 1024;
inline constexpr size_t kHeadersBytesMax = 64 * 1024;

/// max.message.bytes of a dead-letter topic: above the largest row, below what brokers and clients
/// take (64 MB).
inline constexpr size_t kDeadLetterRecordBytesMax = 40 * 1024 * 1024;

}  // namespace outbox::core
