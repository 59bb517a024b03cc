#include "relay/app/secret.h"

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

namespace outbox::app {
namespace {

template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept JsonAble = requires(const T& value) {
  nlohmann::json(value);
};

TEST(SecretTest, CannotBeStreamedFormattedOrTurnedIntoJson) {
  static_assert(Streamable<std::string> && JsonAble<std::string>);
  static_assert(fmt::is_formattable<std::string>::value);
  static_assert(!Streamable<Secret>);
  static_assert(!JsonAble<Secret>);
  static_assert(!fmt::is_formattable<Secret>::value);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  EXPECT_EQ(Secret("canary").reveal(), "canary");
}

TEST(SecretTest, ComparesEqualOnlyToTheWholeText) {
  const Secret secret("abcdefgh");
  EXPECT_TRUE(equal_in_constant_time(secret, "abcdefgh"));
  EXPECT_FALSE(equal_in_constant_time(secret, "abcdefgx"));
  EXPECT_FALSE(equal_in_constant_time(secret, "abcdefg"));
  EXPECT_FALSE(equal_in_constant_time(secret, "abcdefghabcdefgh"));
  EXPECT_FALSE(equal_in_constant_time(secret, ""));
}

TEST(SecretTest, AnEmptySecretEqualsNothingThatIsOffered) {
  EXPECT_FALSE(equal_in_constant_time(Secret(), ""));
  EXPECT_FALSE(equal_in_constant_time(Secret(), "x"));
}

}  // namespace
}  // namespace outbox::app
