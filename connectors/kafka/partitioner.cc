#include "connectors/kafka/partitioner.h"

#include <cstring>

namespace outbox::kafka {
namespace {

constexpr uint32_t kSeed = 0x9747b28c;
constexpr uint32_t kMultiplier = 0x5bd1e995;
constexpr int kShift = 24;
constexpr uint64_t kNeighboursTogether = 64;

}  // namespace

uint32_t murmur2(std::string_view bytes) {
  uint32_t hash = kSeed ^ static_cast<uint32_t>(bytes.size());
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 4; left -= 4, at += 4) {
    uint32_t word;
    std::memcpy(&word, at, sizeof word);  // little-endian, as the Java client reads it
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  const auto tail = [at](size_t index) {
    return static_cast<uint32_t>(static_cast<unsigned char>(at[index])) << (8 * index);
  };
  if (left == 3) hash ^= tail(2);
  if (left >= 2) hash ^= tail(1);
  if (left >= 1) hash = (hash ^ tail(0)) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

uint32_t partition_of_key(std::string_view key, uint32_t partitions) {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

uint32_t partition_of_ticket(uint64_t index, uint32_t partitions) {
  const uint64_t group = index / kNeighboursTogether;
  return static_cast<uint32_t>((group * 0x9e3779b97f4a7c15ULL >> 32) % partitions);
}

}  // namespace outbox::kafka
