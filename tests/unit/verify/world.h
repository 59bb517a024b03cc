#pragma once
// A source and topics for tests of the comparison, at every size of memory: with all in one run,
// and with edges of runs between any two events.

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "relay/verify/comparison.h"

namespace outbox::verify {

inline const std::string kFolder = std::filesystem::temp_directory_path();
inline constexpr uint64_t kKeys = 7;
inline constexpr uint32_t kTopic = 0;
inline constexpr uint32_t kLetters = 1;

inline core::Uuid id_of(uint64_t seq) {
  std::mt19937_64 random(seq);
  core::Uuid id;
  for (unsigned char& byte : id.bytes) byte = static_cast<unsigned char>(random());
  return id;
}

inline Content content_of(uint64_t seq) {
  Content content{};
  content[0] = static_cast<unsigned char>(seq);
  content[1] = static_cast<unsigned char>(seq >> 8);
  return content;
}

/// A source and a topic that agree, until a test changes one of them.
struct World {
  explicit World(uint64_t events) {
    scope.from_seq = 1;
    scope.settled_seq = events;
    scope.topics.resize(2);
    scope.topics[kTopic].name = "order.events";
    scope.topics[kLetters].name = "order.events.dead-letter";
    for (uint64_t seq = 1; seq <= events; ++seq) {
      rows.push_back(row(seq));
      records.push_back(record(seq));
    }
  }

  static Row row(uint64_t seq) {
    Row made;
    made.id = id_of(seq);
    made.content = content_of(seq);
    made.key = 1 + seq % kKeys;
    made.seq = seq;
    made.time_us = static_cast<int64_t>(seq);
    made.topic = kTopic;
    return made;
  }
  static Record record(uint64_t seq) {
    Record made;
    made.id = id_of(seq);
    made.content = content_of(seq);
    made.key = 1 + seq % kKeys;
    made.place.topic = kTopic;
    made.position = {PositionKind::number, {seq, 0}};
    return made;
  }

  void run(size_t sorter_bytes) {
    findings.clear();
    Comparison comparison(kFolder, sorter_bytes);
    for (const Row& one : rows) ASSERT_TRUE(comparison.add(one));
    uint64_t offset = 0;
    for (Record one : records) {
      one.place.offset = offset++;
      ASSERT_TRUE(comparison.add(one));
    }
    for (uint64_t i = 0; i < without_id; ++i) {
      ASSERT_TRUE(comparison.add_without_id({kTopic, 0, offset++}));
    }
    ASSERT_TRUE(comparison.compare(scope, [](uint64_t) {}));
    const auto report =
        comparison.report(scope, [this](const Finding& one) { findings.push_back(one); });
    ASSERT_TRUE(report);
    summary = *report;
  }

  std::vector<std::string> ids(Anomaly anomaly) const {
    std::vector<std::string> found;
    for (const Finding& one : findings) {
      if (one.anomaly == anomaly) found.push_back(one.id);
    }
    return found;
  }

  Scope scope;
  std::vector<Row> rows;
  std::vector<Record> records;
  uint64_t without_id = 0;
  std::vector<Finding> findings;
  Summary summary;
};

inline std::vector<std::string> texts(std::initializer_list<uint64_t> seqs) {
  std::vector<std::string> ids;
  for (const uint64_t seq : seqs) ids.push_back(core::to_string(id_of(seq)));
  return ids;
}

class ComparisonTest : public testing::TestWithParam<size_t> {
 protected:
  void run(World& world) { world.run(GetParam()); }
};

}  // namespace outbox::verify
