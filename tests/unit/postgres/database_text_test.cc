// What a text column takes, of text that came from anywhere.

#include "connectors/postgres/detail/database_text.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

using namespace std::string_view_literals;

TEST(DatabaseTextTest, WholeCharactersStayAsTheyAre) {
  const auto text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\n"sv;
  EXPECT_EQ(database_text(text, 100), text);
}

TEST(DatabaseTextTest, EachByteThatIsNoCharacterBecomesAQuestionMark) {
  EXPECT_EQ(database_text("a\0b"sv, 100), "a?b");
  EXPECT_EQ(database_text("\xff\x80z"sv, 100), "??z");
  EXPECT_EQ(database_text("\xc0\xaf"sv, 100), "??");            // overlong
  EXPECT_EQ(database_text("\xe0\x9f\xbf"sv, 100), "???");       // overlong
  EXPECT_EQ(database_text("\xed\xa0\x80"sv, 100), "???");       // a surrogate
  EXPECT_EQ(database_text("\xf4\x90\x80\x80"sv, 100), "????");  // beyond Unicode
  EXPECT_EQ(database_text("x\xe2\x82"sv, 100), "x??");          // cut
}

TEST(DatabaseTextTest, ItIsCutWhereACharacterEnds) {
  EXPECT_EQ(database_text("\xc3\xa4\xc3\xa4"sv, 3), "\xc3\xa4");
  EXPECT_EQ(database_text("abc"sv, 2), "ab");
  EXPECT_EQ(database_text("abc"sv, 0), "");
}

}  // namespace
}  // namespace outbox::postgres
