#pragma once
// Where a record goes inside its topic: as librdkafka's `murmur2_random` and the Java client's
// default partitioner choose, so that a key lands where every other producer puts it.

#include <cstdint>
#include <string_view>

namespace outbox::kafka {

/// Murmur2 with the seed and the tail order of the Java client.
uint32_t murmur2(std::string_view bytes);

/// The partition of a key, also of an empty one. `partitions` is not 0.
uint32_t partition_of_key(std::string_view key, uint32_t partitions);

/// The partition of an event without a key: any, but the same as long as its ticket lives. Some
/// neighbours go together, so that batches do not get small on topics with many partitions.
uint32_t partition_of_ticket(uint64_t index, uint32_t partitions);

}  // namespace outbox::kafka
