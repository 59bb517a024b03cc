#include "connectors/kafka/partitioner.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <set>
#include <string>

namespace outbox::kafka {
namespace {

// What the Java client's Utils.murmur2 gives for these; they stand in its own tests.
TEST(Partitioner, Murmur2IsTheJavaClients) {
  EXPECT_EQ(static_cast<int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<int32_t>(murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
            -58897971);
  EXPECT_EQ(static_cast<int32_t>(murmur2("abc")), 479470107);
}

TEST(Partitioner, PlacesEveryKeyAsLibrdkafkasMurmur2RandomDoes) {
  uint64_t state = 42;
  for (int round = 0; round < 20'000; ++round) {
    std::string key;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    for (uint64_t bytes = (state >> 33) % 40; key.size() < bytes;) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      key.push_back(static_cast<char>(state >> 40));
    }
    const uint32_t partitions = 1 + static_cast<uint32_t>(state >> 50) % 300;
    const int32_t theirs = rd_kafka_msg_partitioner_murmur2_random(
        nullptr, key.data(), key.size(), static_cast<int32_t>(partitions), nullptr, nullptr);
    ASSERT_EQ(static_cast<int32_t>(partition_of_key(key, partitions)), theirs) << key.size();
  }
}

TEST(Partitioner, AnEmptyKeyIsAKeyLikeAnyOther) {
  EXPECT_EQ(partition_of_key("", 7), partition_of_key("", 7));
  EXPECT_EQ(static_cast<int32_t>(murmur2("")), 275646681);
}

TEST(Partitioner, AnEventWithoutKeyKeepsItsPartitionAndNeighboursShareOne) {
  std::set<uint32_t> used;
  for (uint64_t index = 0; index < 100'000; ++index) {
    const uint32_t partition = partition_of_ticket(index, 12);
    ASSERT_EQ(partition, partition_of_ticket(index, 12));
    ASSERT_LT(partition, 12U);
    used.insert(partition);
  }
  EXPECT_EQ(used.size(), 12U);
  EXPECT_EQ(partition_of_ticket(0, 12), partition_of_ticket(1, 12));
}

}  // namespace
}  // namespace outbox::kafka
