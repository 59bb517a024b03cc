#include "relay/verify/sorter.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace outbox::verify {
namespace {

const std::string kFolder = std::filesystem::temp_directory_path();

std::vector<uint64_t> sorted_by(Sorter<uint64_t>& sorter) {
  std::vector<uint64_t> out;
  for (auto next = sorter.next(); next && *next; next = sorter.next()) out.push_back(**next);
  return out;
}

// Counts around the edges of runs (of 8 items) and of the pieces in which a run is read back.
class SorterTest : public testing::TestWithParam<size_t> {};

TEST_P(SorterTest, GivesEverythingBackInOrderWhateverFitsInMemory) {
  for (const size_t memory_bytes : {size_t{64}, size_t{64 * 1024}}) {
    Sorter<uint64_t> sorter(kFolder, memory_bytes);
    std::mt19937_64 random(GetParam());
    std::vector<uint64_t> expected;
    for (size_t i = 0; i < GetParam(); ++i) {
      expected.push_back(random() % 1000);
      ASSERT_TRUE(sorter.add(expected.back()));
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(sorter.count(), expected.size());
    ASSERT_TRUE(sorter.finish());
    EXPECT_EQ(sorted_by(sorter), expected);
    EXPECT_EQ(sorted_by(sorter), std::vector<uint64_t>());
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, SorterTest,
                         testing::Values(0, 1, 7, 8, 9, 16, 17, 4096, 8192, 8193, 20'000));

TEST(SorterTest, AFolderThatIsNotThereIsAnErrorThatNamesItAndTheRemedy) {
  Sorter<uint64_t> sorter("/no/such/folder", 16);
  ASSERT_TRUE(sorter.add(1));
  ASSERT_TRUE(sorter.add(2));
  const auto added = sorter.add(3);
  ASSERT_FALSE(added);
  EXPECT_NE(core::to_string(added.error()).find("/no/such/folder"), std::string::npos);
  EXPECT_NE(core::to_string(added.error()).find("TMPDIR"), std::string::npos);
}

TEST(SorterTest, NothingIsLeftInTheFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "outbox_sorter_test";
  std::filesystem::create_directory(folder);
  Sorter<uint64_t> sorter(folder, 16);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(sorter.add(i));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace outbox::verify
