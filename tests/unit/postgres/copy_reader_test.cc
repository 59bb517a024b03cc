// Rows as COPY ... (FORMAT binary) sends them.

#include "connectors/postgres/detail/copy_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace outbox::postgres {
namespace {

constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr uint32_t kInt8 = 20;
constexpr uint32_t kText = 25;
constexpr uint32_t kUuid = 2950;
constexpr uint32_t kJsonb = 3802;
constexpr int64_t kEpoch = 946'684'800'000'000;
constexpr core::WallTime kNow{1'700'000'000'000'000};

template <typename Number>
std::string big_endian(Number number) {
  std::string bytes;
  for (size_t i = sizeof number; i > 0; --i) {
    bytes.push_back(static_cast<char>(static_cast<uint64_t>(number) >> ((i - 1) * 8)));
  }
  return bytes;
}

std::string column(const std::optional<std::string>& value) {
  if (!value) return big_endian<uint32_t>(0xffffffff);
  return big_endian(static_cast<uint32_t>(value->size())) + *value;
}

struct RowSpec {
  uint64_t seq = 1;
  std::optional<std::string> key = "k";
  std::optional<std::string> payload = std::string("\1{}");
  std::optional<int64_t> created_us = kNow.us;
};

std::string row(const RowSpec& spec) {
  return big_endian<uint16_t>(7) + column(big_endian(spec.seq)) + column(std::string(16, 'u')) +
         column("order") + column(spec.key) + column("placed") + column(spec.payload) +
         column(spec.created_us ? std::optional(big_endian(*spec.created_us - kEpoch))
                                : std::nullopt);
}

class CopyReaderTest : public testing::Test {
 protected:
  CopyReaderTest() {
    const std::vector<RelationColumn> columns = {
        {"seq", kInt8},          {"id", kUuid},         {"aggregate_type", kText},
        {"aggregate_id", kText}, {"event_type", kText}, {"payload", kJsonb}};
    const auto described = reader_.describe(Relation{0, "outbox", "event", columns}, {});
    EXPECT_TRUE(described) << core::to_string(described.error());
    reader_.begin(0);
  }

  core::Result<void> read(const std::string& bytes) {
    char* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
    std::memcpy(copy, bytes.data(), bytes.size());
    CopyBuffer message(copy, bytes.size(), std::free);
    return reader_.read(message, batch_, kNow);
  }
  const core::Event& event(size_t index) const { return batch_.at(index).event; }

  core::ChunkPool pool_;
  CopyReader reader_{pool_};
  core::Batch batch_;
};

TEST_F(CopyReaderTest, ARowBecomesAnEventAtItsNumber) {
  ASSERT_TRUE(read(std::string(kHeader) + row({5, "k", std::string("\1{\"a\": 1}"), kNow.us})));
  ASSERT_EQ(batch_.size(), 1U);
  EXPECT_EQ(event(0).position, (core::Position{5, 0}));
  EXPECT_EQ(event(0).seq, 5U);
  EXPECT_EQ(event(0).aggregate_type, "order");
  EXPECT_EQ(event(0).aggregate_id, "k");
  EXPECT_EQ(event(0).payload, "{\"a\": 1}");
  EXPECT_EQ(event(0).commit_time.us, kNow.us);
  EXPECT_EQ(reader_.last(), 5U);
}

TEST_F(CopyReaderTest, NullsStayNull) {
  ASSERT_TRUE(read(std::string(kHeader) + row({1, std::nullopt, std::nullopt, kNow.us})));
  EXPECT_FALSE(event(0).aggregate_id);
  EXPECT_FALSE(event(0).payload);
}

TEST_F(CopyReaderTest, AnEmptyCopyIsAHeaderAndATrailer) {
  ASSERT_TRUE(read(std::string(kHeader) + big_endian<uint16_t>(0xffff)));
  EXPECT_TRUE(batch_.empty());
  EXPECT_EQ(reader_.rows(), 0U);
}

TEST_F(CopyReaderTest, ATimeThatNoClockShowsIsReplacedByNow) {
  const int64_t infinity = std::numeric_limits<int64_t>::max();
  std::string first = std::string(kHeader) + row({1});
  first.replace(first.size() - 8, 8, big_endian(infinity));
  ASSERT_TRUE(read(first));
  ASSERT_TRUE(read(row({2, "k", std::nullopt, std::nullopt})));
  ASSERT_TRUE(read(row({3, "k", std::nullopt, kNow.us + int64_t{7'200'000'000}})));
  ASSERT_TRUE(read(row({4, "k", std::nullopt, int64_t{-1}})));
  for (size_t index = 0; index < 4; ++index) EXPECT_EQ(event(index).commit_time.us, kNow.us);
}

TEST_F(CopyReaderTest, RowsOutOfOrderAreRefused) {
  ASSERT_TRUE(read(std::string(kHeader) + row({5})));
  EXPECT_FALSE(read(row({5})));
  EXPECT_FALSE(read(row({4})));
  EXPECT_EQ(batch_.size(), 1U);
}

TEST_F(CopyReaderTest, EveryCutOfARowIsRefusedAndNamesWhere) {
  ASSERT_TRUE(read(std::string(kHeader) + row({5})));
  const std::string whole = row({6});
  ASSERT_GT(whole.size(), 50U);
  for (size_t size = 1; size < whole.size(); ++size) {
    const auto cut = read(whole.substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_NE(core::to_string(cut.error()).find("after seq 5"), std::string::npos);
  }
  EXPECT_FALSE(read(whole + "x"));
  EXPECT_EQ(batch_.size(), 1U);
}

TEST_F(CopyReaderTest, WithoutItsSignatureNothingIsRead) {
  EXPECT_FALSE(read(row({1})));
  EXPECT_FALSE(read(std::string(kHeader.substr(0, 15))));
}

}  // namespace
}  // namespace outbox::postgres
